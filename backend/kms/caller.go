// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"context"
	"errors"
	"fmt"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"

	"github.com/keyward-go/keyward/vault"
)

const maxUnderWay = 16

// caller runs code of others beside the caller of a root.
type caller struct {
	w     wrapping.Wrapper
	slots chan struct{} // holds one element a call under way, so that a wrapper that hangs cannot pile up goroutines
}

type answer struct {
	out []byte
	err error
}

var errEnded = errors.New("the wrapper ended its goroutine")

// do runs f in a goroutine of its own and waits for it or for the end of ctx. f must own every slice that it uses.
func (c *caller) do(ctx context.Context, f func() ([]byte, error)) ([]byte, error) {
	if c.w == nil {
		return nil, fmt.Errorf("%w: kms.Wrapper was given no wrapper", vault.ErrNoKey)
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, late(ctx)
	}
	done := make(chan answer, 1)
	go func() {
		a := answer{err: fmt.Errorf("%w: %w", vault.ErrKMSUnavailable, errEnded)} // stays if f calls runtime.Goexit
		defer func() {
			if p := recover(); p != nil { // the value is not printed: it may hold what was being sealed
				a = answer{err: fmt.Errorf("%w: the wrapper panicked with a %T", vault.ErrKMSUnavailable, p)}
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
		return nil, late(ctx)
	}
}

func late(ctx context.Context) error {
	return fmt.Errorf("%w: the wrapper did not answer in time: %w", vault.ErrKMSUnavailable, ctx.Err())
}
