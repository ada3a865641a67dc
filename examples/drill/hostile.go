// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// hostile is an agent that calls as fast as it can.
type hostile struct {
	client *http.Client
	url    string
	token  vault.Claims
	end    func()

	mu                     sync.Mutex
	changed                sync.Cond
	worked, refused, other int
}

// attack begins, and returns when the first call has worked.
func attack(ctx context.Context, client *http.Client, token vault.Claims, url string) *hostile {
	ctx, cancel := context.WithCancel(ctx)
	h := &hostile{client: client, url: url, token: token}
	h.changed.L = &h.mu
	var wg sync.WaitGroup
	h.end = func() { cancel(); wg.Wait() }
	wg.Go(func() {
		defer client.CloseIdleConnections()
		for ctx.Err() == nil {
			_, err := call(ctx, client, url)
			if ctx.Err() == nil {
				h.count(err)
			}
		}
	})
	h.wait(func() bool { return h.worked > 0 })
	return h
}

func (h *hostile) count(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		h.worked++
	case errors.Is(err, vault.ErrDenied):
		h.refused++
	default:
		h.other++
	}
	h.changed.Broadcast()
}

// wait returns when the counts are so, or when something else than work and refusals has come.
func (h *hostile) wait(so func() bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for !so() && h.other == 0 {
		h.changed.Wait()
	}
}

// stop ends the attack and says what came of it.
func (h *hostile) stop() string {
	h.end()
	if h.worked == 0 || h.refused < refusals || h.other != 0 {
		return fmt.Sprintf("%d calls worked, %d were refused, %d failed", h.worked, h.refused, h.other)
	}
	return "it worked at first, and was refused since"
}

// upstream is a service that takes one key.
type upstream struct {
	*httptest.Server
	mu  sync.Mutex
	key string
}

func start(key string) *upstream {
	u := &upstream{key: key}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		defer u.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer "+u.key {
			http.Error(w, "wrong key", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, "3 papers")
	}))
	return u
}

func (u *upstream) accept(key string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.key = key
}

// clock is the wall clock, moved.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}
