// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/audit"
)

// Anchor keeps the head of the log on another system, so that a rollback of everything here, and a copy of the vault that
// goes its own way, are seen. Package anchor keeps one in any Store. It is called by one goroutine of each process, never
// while the store is locked; a panic is an error.
type Anchor interface {
	// Load returns the head that the anchor holds: the zero Head if it has never held one.
	Load(ctx context.Context) (audit.Head, error)
	// Advance replaces from by to, durably, if the anchor holds from; otherwise it answers ErrConflict. Any other error
	// leaves open what it holds.
	Advance(ctx context.Context, from, to audit.Head) error
}

// anchored moves the anchor to the head of each batch before the batch is released.
type anchored struct {
	v     *core
	gate  *gate
	store Anchor
	last  audit.Head // what the anchor held when this process last knew
}

// swaps is how often one batch tries: every lost swap is another process that has moved the anchor on.
const swaps = 100

// advance returns nil when the anchor holds the head, or one behind it in the same log. A log that does not contain what the
// anchor holds is a fork, or was rolled back: nothing is committed to it any more.
func (a *anchored) advance(ctx context.Context, to audit.Head) error {
	for range swaps {
		from := a.last
		err := a.gate.do(ctx, func(ctx context.Context) error { return a.store.Advance(ctx, from, to) })
		if err == nil {
			a.last = to
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return fmt.Errorf("anchor: %w", err)
		}
		if err := a.load(ctx); err != nil {
			return fmt.Errorf("anchor: %w", err)
		}
		if err := a.v.update(ctx, a.v.newBatch()); err != nil { // what it holds may be another process's
			return fmt.Errorf("anchor: %w", err)
		}
		if err := a.v.mustContain(ctx, a.last, "the anchor"); err != nil {
			if errors.Is(err, ErrRollback) {
				a.v.stop(err)
			}
			return err
		}
		if a.last.Size >= to.Size {
			return nil
		}
	}
	return fmt.Errorf("anchor: %w: it was moved %d times by others", ErrBusy, swaps)
}

func (a *anchored) load(ctx context.Context) error {
	var h audit.Head // not a.last: a call that was given up may still write
	err := a.gate.do(ctx, func(ctx context.Context) (err error) {
		h, err = a.store.Load(ctx)
		return err
	})
	if err == nil {
		a.last = h
	}
	return err
}

// stop ends all commits of this process: the log is not the one that others know.
func (v *core) stop(why error) {
	v.turn <- struct{}{}
	defer func() { <-v.turn }()
	if v.broken == nil {
		v.broken = why
	}
}

// openAnchor asks the anchor, if there is one, which head the log must contain.
func (v *core) openAnchor(ctx context.Context, store Anchor) error {
	if store == nil {
		return nil
	}
	v.anchor = &anchored{v: v, gate: newGate(), store: store}
	if err := v.anchor.load(ctx); err != nil {
		return fmt.Errorf("anchor: %w", err)
	}
	return nil
}

// checkAnchor holds the log against the anchor and moves the anchor to its head.
func (v *core) checkAnchor(ctx context.Context) error {
	if v.anchor == nil {
		return nil
	}
	if held := v.anchor.last; held.Size > 0 {
		if err := v.mustContain(ctx, held, "the anchor"); err != nil || held == v.state.head.log {
			return err
		}
	}
	return v.anchor.advance(ctx, v.state.head.log)
}
