// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/vault"
)

func closeTwice(t *trial) error {
	if err := t.put(lines("0"), row("a", "1")); err != nil {
		return err
	}
	for range 2 {
		if err := t.Close(); err != nil {
			return fmt.Errorf("Close: %w", err)
		}
	}
	return t.isClosed()
}

// isClosed checks that every call answers ErrClosed.
func (t *trial) isClosed() error {
	ran := false
	update := t.Update(t.ctx, 0, func([]vault.Row) (vault.Batch, error) {
		ran = true
		return vault.Batch{}, nil
	})
	_, rows := t.Rows(t.ctx, "", 1)
	_, lines := t.Lines(t.ctx, 0, 1)
	for _, err := range []error{update, rows, lines} {
		if !errors.Is(err, vault.ErrClosed) {
			return fmt.Errorf("after Close: Update %v, Rows %v, Lines %v; want ErrClosed of each", update, rows, lines)
		}
	}
	if ran {
		return errors.New("fn ran after Close")
	}
	return nil
}

func closeAmidst(t *trial) error {
	const waiting = 4
	ends := make(chan error, waiting+1)
	err := t.locked(t, func() error {
		for range waiting {
			ctx := watch(t.ctx)
			go func() {
				ends <- t.Update(ctx, 0, func([]vault.Row) (vault.Batch, error) { return vault.Batch{}, nil })
			}()
			ctx.wait()
		}
		go func() { ends <- t.Close() }() // waits, perhaps, for the Update that runs
		return nil
	})
	if err != nil && !errors.Is(err, vault.ErrClosed) {
		return fmt.Errorf("the Update that ran as Close came: %w", err)
	}
	for range waiting + 1 {
		if err := <-ends; err != nil && !errors.Is(err, vault.ErrClosed) {
			return fmt.Errorf("%w; want nil, or ErrClosed of an Update that waited", err)
		}
	}
	return t.isClosed()
}
