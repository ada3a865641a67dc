// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

const (
	rootPatience = 10 * time.Second // for one answer of the root, where no caller says how long
	rootTime     = 3 * rootPatience // for a new keyring: the root opens, seals and opens
	maxAsked     = 16               // questions under way to one root
)

// asked is a RootKey that may be a user's own. It runs beside the caller, who gets ErrKMSUnavailable when ctx ends although
// the root does not heed it, and when the root panics. A question left behind ends when the root's answer comes.
type asked struct {
	root  RootKey
	slots chan struct{}
}

func ask(root RootKey) *asked { return &asked{root, make(chan struct{}, maxAsked)} }

func (a *asked) EncryptWithContext(ctx context.Context, plaintext, data []byte) ([]byte, error) {
	plaintext = bytes.Clone(plaintext)
	return a.do(ctx, func() ([]byte, error) {
		defer clear(plaintext)
		return a.root.EncryptWithContext(ctx, plaintext, data)
	})
}

func (a *asked) DecryptWithContext(ctx context.Context, ciphertext, data []byte) ([]byte, error) {
	return a.do(ctx, func() ([]byte, error) { return a.root.DecryptWithContext(ctx, ciphertext, data) })
}

func (a *asked) do(ctx context.Context, f func() ([]byte, error)) ([]byte, error) {
	select {
	case a.slots <- struct{}{}:
	default:
		return nil, fmt.Errorf("%w: %d questions wait for an answer of the root", ErrKMSUnavailable, maxAsked)
	}
	type answer struct {
		b   []byte
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		got, answered := answer{err: errGone}, false
		defer func() {
			if !answered {
				got.err = fmt.Errorf("%w: %w", ErrKMSUnavailable, got.err)
			}
			<-a.slots
			answers <- got
		}()
		got.err = contain(func() (err error) {
			got.b, err = f()
			answered = true
			return err
		})
	}()
	select {
	case got := <-answers:
		return got.b, got.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrKMSUnavailable, ctx.Err())
	}
}
