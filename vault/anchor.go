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
	last  audit.Head // what the anchor held when this process last knew; once the vault is open, a head that the log contains
	past  head       // of the last batch that it covered, or of Open: the log need not be compared again up to there
}

// swaps is how often one batch tries: every lost swap is another process that has moved the anchor on.
const swaps = 100

// advance returns nil when the anchor has held the head, or one behind it in the same log. It never moves the anchor back:
// another process may have moved it past a batch that was waiting here. A log that does not contain what the anchor holds is
// a fork, or was rolled back: nothing is committed to it any more.
func (a *anchored) advance(ctx context.Context, to head) error {
	log := to.log()
	for try := 0; a.last.Size < to.size; try++ {
		if try == swaps {
			return fmt.Errorf("anchor: %w: it was moved %d times by others", ErrBusy, swaps)
		}
		from := a.last
		err := a.gate.do(ctx, func(ctx context.Context) error { return a.store.Advance(ctx, from, log) })
		if err == nil {
			a.last = log
			break
		}
		if !errors.Is(err, ErrConflict) {
			return fmt.Errorf("anchor: %w", err)
		}
		if err := a.rejoin(ctx); err != nil {
			return err
		}
	}
	a.past = to
	return nil
}

// rejoin learns what the anchor holds, after another process has moved it. Only what has been compared with the log is taken as what to swap from.
func (a *anchored) rejoin(ctx context.Context) error {
	held, err := a.load(ctx)
	if err == nil {
		err = a.v.update(ctx, a.v.newBatch()) // what it holds may be another process's
	}
	if err != nil {
		return fmt.Errorf("anchor: %w", err)
	}
	if held, err = a.check(ctx, held); err != nil {
		if errors.Is(err, ErrRollback) {
			a.v.stop(err)
		}
		return err
	}
	a.last = held
	return nil
}

// check holds the log against what the anchor holds, and returns that: if the log was archived up to behind it meanwhile, the
// anchor had been moved on first. One that holds nothing, because it is new or has forgotten, is told.
func (a *anchored) check(ctx context.Context, held audit.Head) (audit.Head, error) {
	for range swaps {
		if held == (audit.Head{}) {
			return held, nil
		}
		below := a.v.mustContain(ctx, held, a.past, "the anchor")
		if !errors.Is(below, errBelow) {
			return held, below
		}
		now, err := a.load(ctx)
		if err == nil {
			err = a.v.update(ctx, a.v.newBatch())
		}
		if err != nil {
			return held, fmt.Errorf("anchor: %w", err)
		}
		if now == held {
			return held, below
		}
		held = now
	}
	return held, fmt.Errorf("anchor: %w: it was moved %d times by others", ErrBusy, swaps)
}

func (a *anchored) load(ctx context.Context) (audit.Head, error) {
	var h audit.Head
	err := a.gate.do(ctx, func(ctx context.Context) (err error) {
		h, err = a.store.Load(ctx)
		return err
	})
	if err != nil {
		return audit.Head{}, err // h is not looked at: a call that was given up may still write
	}
	return h, nil
}

// anchoredAt refuses what would drop records that the anchor, if there is one, does not cover yet.
func (v *core) anchoredAt(ctx context.Context, size int64) error {
	if v.anchor == nil {
		return nil
	}
	held, err := v.anchor.load(ctx)
	if err == nil && held.Size < size {
		err = fmt.Errorf("%w: it covers %d records: archive fewer, or wait until it answers again", ErrConflict, held.Size)
	}
	if err != nil {
		return fmt.Errorf("anchor: %w", err)
	}
	return nil
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
func (v *core) openAnchor(ctx context.Context, store Anchor) (err error) {
	if store == nil {
		return nil
	}
	v.anchor = &anchored{v: v, gate: newGate(), store: store}
	if v.anchor.last, err = v.anchor.load(ctx); err != nil {
		return fmt.Errorf("anchor: %w", err)
	}
	return nil
}

// checkAnchor holds the log against the anchor and moves the anchor to its head.
func (v *core) checkAnchor(ctx context.Context) error {
	if v.anchor == nil {
		return nil
	}
	var err error
	if v.anchor.last, err = v.anchor.check(ctx, v.anchor.last); err != nil {
		return err
	}
	return v.anchor.advance(ctx, v.state.head)
}
