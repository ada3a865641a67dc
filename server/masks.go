// SPDX-License-Identifier: Apache-2.0

package server

import (
	"io"
	"log"
	"strconv"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/vault"
)

// maxMasks bounds the versions whose values are kept in memory for masking: those used last.
const maxMasks = 256

// masks are what the answers to a use are masked with: for each version of a secret one that knows its value and no other.
type masks struct {
	mu  sync.Mutex
	lru *simplelru.LRU[string, *redact.Redactor]
}

func newMasks() *masks {
	lru, _ := simplelru.NewLRU[string, *redact.Redactor](maxMasks, nil) // fails for a size below one
	return &masks{lru: lru}
}

// of returns the mask of a version. A number is never used again, so the value of a version is always the same.
func (m *masks) of(it vault.Item) (*redact.Redactor, error) {
	key := it.Path + "#" + strconv.Itoa(it.Version)
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.lru.Get(key); ok {
		return r, nil
	}
	r := new(redact.Redactor)
	if err := r.Add(it.Value); err != nil {
		return nil, err
	}
	m.lru.Add(key, r)
	return r, nil
}

func (t *trip) mask(it vault.Item) (*redact.Redactor, error) {
	t.origin = it.Policy.Origin()
	return t.masks.of(it)
}

// buffers are those that answers are copied through.
var buffers = pool{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}}

type pool struct{ sync.Pool }

func (p *pool) Get() []byte  { return *p.Pool.Get().(*[]byte) }
func (p *pool) Put(b []byte) { clear(b); p.Pool.Put(&b) }

// discard is the log of the reverse proxy, which quotes what clients and upstreams send.
var discard = log.New(io.Discard, "", 0)
