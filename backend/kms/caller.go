// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"context"
	"fmt"

	"github.com/keyward-go/keyward/vault"
)

const maxUnderWay = 16

// caller runs code of others beside the caller of a root.
type caller struct {
	whose string        // for errors
	slots chan struct{} // holds one element a call under way, so that code that hangs cannot pile up goroutines
}

func newCaller(whose string) *caller { return &caller{whose, make(chan struct{}, maxUnderWay)} }

type answer struct {
	out []byte
	err error
}

// do runs f in a goroutine of its own and waits for it or for the end of ctx. f must own every slice that it uses.
func (c *caller) do(ctx context.Context, f func() ([]byte, error)) ([]byte, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, c.late(ctx)
	}
	done := make(chan answer, 1)
	go func() {
		a := answer{err: fmt.Errorf("%w: %s ended its goroutine", vault.ErrKMSUnavailable, c.whose)} // stays if f calls runtime.Goexit
		defer func() {
			if p := recover(); p != nil { // the value is not printed: it may hold what was being sealed
				a = answer{err: fmt.Errorf("%w: %s panicked with a %T", vault.ErrKMSUnavailable, c.whose, p)}
			}
			<-c.slots
			done <- a
		}()
		a.out, a.err = f()
	}()
	select {
	case a := <-done:
		return a.out, a.err
	case <-ctx.Done():
		return nil, c.late(ctx)
	}
}

func (c *caller) late(ctx context.Context) error {
	return fmt.Errorf("%w: %s did not answer in time: %w", vault.ErrKMSUnavailable, c.whose, ctx.Err())
}
