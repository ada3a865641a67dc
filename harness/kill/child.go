// SPDX-License-Identifier: Apache-2.0

package kill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

const callers = 6

// child works until it is killed.
func child(ctx context.Context, c *kit.Child) error {
	var j job
	if err := c.Args(&j); err != nil {
		return err
	}
	var wrap func(vault.Store) vault.Store
	if c.Bug {
		wrap = func(s vault.Store) vault.Store { return kit.Over(s, &hasty{Store: s}) }
	}
	v, _, err := j.open(ctx, c.Store, c.Dir, wrap)
	if err != nil {
		return kit.Violationf("the vault does not open: %v", err)
	}
	c.Ack(kit.Ack{Op: kit.OpOpen})
	w := &worker{Work: kit.Work{Name: fmt.Sprint("r", j.Round), V: v, Tell: c.Ack}, tokens: j.Tokens}
	errs := make(chan error, callers)
	for i := range callers {
		go func() { errs <- w.work(ctx, fmt.Sprintf("production/service-%d/key", i/2)) }()
	}
	return kit.Violationf("an error without a fault: %v", <-errs) // nothing else ends a caller
}

// worker is the callers of one child.
type worker struct {
	kit.Work
	mu     sync.Mutex
	tokens []token

	rotating  sync.Mutex // rotations at the same time are an error
	rotations int        // begun
}

// maxRotations of one child: a vault keeps 64 former token keys at most, for lives children.
const maxRotations = 2

// rotate rotates the keys if nobody else does.
func (w *worker) rotate(ctx context.Context) error {
	if !w.rotating.TryLock() {
		return nil
	}
	defer w.rotating.Unlock()
	if w.rotations++; w.rotations > maxRotations {
		return nil
	}
	return w.Rotate(ctx, rand.IntN(4) == 0)
}

// work does one thing after the other, until one fails as none may fail here.
func (w *worker) work(ctx context.Context, path string) error {
	for put := false; ; {
		t, ok := w.pick()
		var err error
		switch n := rand.IntN(10); {
		case !put: // so that there is something to get
			err = w.Put(ctx, path)
			put = err == nil
		case !ok || n == 0:
			t.Bearer, t.Link, err = w.Issue(ctx, 1+rand.IntN(40))
			w.add(t)
		case n == 1:
			err = w.Put(ctx, path)
		case n == 2 && rand.IntN(4) == 0:
			err = w.Revoke(ctx, t.Link)
		case n == 2 && rand.IntN(2) == 0:
			err = w.Destroy(ctx, path)
		case n == 2 && rand.IntN(4) == 0:
			err = w.rotate(ctx)
		case n < 7:
			err = w.Get(ctx, t.Bearer, path)
		default:
			err = w.Use(ctx, t.Bearer, path)
		}
		switch {
		case err == nil, errors.Is(err, vault.ErrConflict): // of callers that change the same path or the keys
		case kit.OutcomeOf(err) == kit.Refused:
			w.drop(t) // it is dead; more refusals would be counted instead of recorded
		default:
			return err
		}
	}
}

func (w *worker) pick() (token, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.tokens) == 0 {
		return token{}, false
	}
	return w.tokens[rand.IntN(len(w.tokens))], true
}

func (w *worker) add(t token) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tokens = append(w.tokens, t)
}

func (w *worker) drop(t token) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.tokens {
		if w.tokens[i] == t {
			w.tokens = append(w.tokens[:i], w.tokens[i+1:]...)
			return
		}
	}
}
