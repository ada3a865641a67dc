// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// core is the vault itself, which Vault, Session and Log reach through a closure.
type core struct {
	store   Store
	ring    atomic.Pointer[keyring] // see keys
	sealer  *sealer
	issuer  TokenIssuer
	builtin bool // the issuer is the built-in one
	clock   *clock
	maxTTL  time.Duration
	opening string // names this opening to spawned tokens

	mu     sync.RWMutex
	state  *state
	turn   chan struct{} // full while a batch runs
	follow follower      // of who has the turn
	alone  *batch        // of a caller who commits by itself, and has the turn
	broken error         // why nothing is committed any more; whoever has the turn looks and sets

	queue     queue
	committed chan struct{} // closed when the committer is done
	releaser  *releaser     // nil without auditors and anchor
	anchor    *anchored     // nil without one; the releaser's
	headFile  marker        // the store, if it has one
	refusals  refusals
	doomed    doomed
	spawns    set[string]

	life     sync.RWMutex
	closed   bool
	inFlight sync.WaitGroup
	inside   atomic.Int64 // how many are in flight
	closing  sync.Once
	closeErr error
}

// keys is the keyring in use. A commit of the next one replaces it, so take it once and keep it for one task. Its vault id,
// state key and signer never change.
func (v *core) keys() *keyring { return v.ring.Load() }

func (v *core) close() error {
	v.closing.Do(func() {
		v.life.Lock()
		v.closed = true
		v.life.Unlock()
		v.inFlight.Wait()
		flushed := v.refusals.stop(v)
		v.queue.close()
		<-v.committed
		v.closeErr = errors.Join(flushed, contain(v.store.Close)) // it may be a user's own
	})
	return v.closeErr
}

// enter counts a call in, unless the vault is closed.
func (v *core) enter() error {
	v.life.RLock()
	defer v.life.RUnlock()
	if v.closed {
		return fmt.Errorf("vault: %w", ErrClosed)
	}
	v.inFlight.Add(1)
	v.inside.Add(1)
	return nil
}

func (v *core) leave() {
	v.inside.Add(-1)
	v.inFlight.Done()
}

// look calls f with the state as this process knows it. f does not keep it.
func (v *core) look(f func(view)) {
	now := v.clock.read()
	v.mu.RLock()
	defer v.mu.RUnlock()
	f(v.view(now, nil))
}

// view is the state at a time; the caller holds mu, or has the turn to commit.
func (v *core) view(now readTime, over *staging) view {
	w := view{state: v.state, over: over, at: &v.state.head, v: v, absurd: !now.possible()}
	w.now, w.behind = now.after(v.state.head.time)
	return w
}
