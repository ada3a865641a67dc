// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

const (
	readyPause = time.Second     // between two questions to the vault
	readyWait  = 5 * time.Second // for its answer
)

// readiness is whether the vault can serve. Anybody may ask, and nothing is recorded; the vault is asked once in readyPause at most,
// since its store is locked meanwhile.
type readiness struct {
	vault *vault.Vault
	log   *slog.Logger

	mu    sync.Mutex
	asked time.Time
	err   error
}

func (a *readiness) ready(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.asked.IsZero() && time.Since(a.asked) < readyPause {
		return a.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyWait) // the answer is for others too
	defer cancel()
	a.err = a.vault.Ready(ctx)
	if a.err != nil {
		a.log.Error("the vault is not ready", "cause", a.err)
	}
	a.asked = time.Now()
	return a.err
}

func (a *api) ready(w http.ResponseWriter, r *http.Request) {
	if a.readiness.ready(r.Context()) != nil {
		notReady.Write(w, r)
		return
	}
	front.WriteJSON(w, http.StatusOK, status{"ready"})
}
