// SPDX-License-Identifier: Apache-2.0

package mcp

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

// visit is one request of one agent.
type visit struct {
	who
	*served
	dead atomic.Bool // a call of it found the token dead
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// foundDead notes that the door refused the token of the request that ctx belongs to. Over stdio there is none.
func foundDead(ctx context.Context) {
	if v := visitOf(ctx); v != nil {
		v.dead.Store(true)
	}
}

// answer is the answer to a visit: never cached, and a 401 if the token turned out to be dead. The SDK writes nothing before
// all calls of the request have ended.
type answer struct {
	http.ResponseWriter
	visit *visit
	asked *http.Request
	began bool
	away  bool
}

// Unwrap is for http.ResponseController.
func (w *answer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *answer) WriteHeader(code int) {
	if w.away {
		return
	}
	w.began = true
	if w.visit.dead.Load() {
		w.away = true
		front.RefusalOf(vault.ErrDeadToken).Write(w.ResponseWriter, w.asked)
		return
	}
	front.NoStore(w.Header())
	w.ResponseWriter.WriteHeader(code)
}

func (w *answer) Write(b []byte) (int, error) {
	if !w.began {
		w.WriteHeader(http.StatusOK)
	}
	if w.away {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}
