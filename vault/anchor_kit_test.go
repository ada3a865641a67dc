// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"sync"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// fakeAnchor is an anchor in memory, whose calls a test watches and breaks.
type fakeAnchor struct {
	t  testing.TB
	mu sync.Mutex

	head      audit.Head
	swaps     int // done
	lost      int // refused with ErrConflict
	onLoad    func(ctx context.Context, next func() (audit.Head, error)) (audit.Head, error)
	onAdvance func(ctx context.Context, next func() error) error
}

func newFakeAnchor(t testing.TB) *fakeAnchor { return &fakeAnchor{t: t} }

func (a *fakeAnchor) use(c *vault.Config) { c.Anchor = a }

func (a *fakeAnchor) held() audit.Head {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.head
}

func (a *fakeAnchor) set(h audit.Head) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.head = h
}

// atLoad and atAdvance put f around every call; nil ends that.
func (a *fakeAnchor) atLoad(f func(context.Context, func() (audit.Head, error)) (audit.Head, error)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.onLoad = f
}

func (a *fakeAnchor) atAdvance(f func(context.Context, func() error) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.onAdvance = f
}

// onceAdvance puts f around the next Advance.
func (a *fakeAnchor) onceAdvance(f func(context.Context, func() error) error) {
	a.atAdvance(func(ctx context.Context, next func() error) error {
		a.atAdvance(nil)
		return f(ctx, next)
	})
}

func (a *fakeAnchor) Load(ctx context.Context) (audit.Head, error) {
	a.mu.Lock()
	f := a.onLoad
	a.mu.Unlock()
	next := func() (audit.Head, error) { return a.held(), nil }
	if f != nil {
		return f(ctx, next)
	}
	return next()
}

func (a *fakeAnchor) Advance(ctx context.Context, from, to audit.Head) error {
	a.mu.Lock()
	f := a.onAdvance
	a.mu.Unlock()
	next := func() error {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.head != from {
			a.lost++
			return vault.ErrConflict
		}
		if to.Size <= from.Size {
			a.t.Errorf("the anchor was moved back, from %d to %d", from.Size, to.Size)
		}
		a.head = to
		a.swaps++
		return nil
	}
	if f != nil {
		return f(ctx, next)
	}
	return next()
}

// headOf is the head of the log that a store holds.
func headOf(t testing.TB, s vault.Store) audit.Head {
	t.Helper()
	return headOfLines(dumpOf(t, s).lines)
}

func headOfLines(lines [][]byte) audit.Head {
	var tree audit.Tree
	for _, line := range lines {
		tree.Append(line)
	}
	return tree.Head()
}

// holds checks that the anchor holds the head of the store's log.
func (a *fakeAnchor) holds(t testing.TB, s vault.Store, when string) {
	t.Helper()
	if got, want := a.held(), headOf(t, s); got != want {
		t.Errorf("%s: the anchor holds size %d, the log has %d records, or their roots differ", when, got.Size, want.Size)
	}
}
