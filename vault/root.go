// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	rootPatience = 10 * time.Second // for one answer of the root, where no caller says how long
	maxAsked     = 16               // questions under way to one root
)

// asked is a RootKey that may be a user's own. It runs beside the caller, who gets ErrKMSUnavailable when ctx ends although
// the root does not heed it; its panics are errors. A question left behind ends when the root's answer comes.
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
		got := answer{err: errGone}
		defer func() {
			<-a.slots
			answers <- got
		}()
		got.err = contain(func() (err error) {
			got.b, err = f()
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

// SetRoot seals the keyring under another root: from the return on this vault uses it, and the store opens with it and no
// longer with the former one. The keys in the keyring stay: if the former root has leaked, RotateKeys with Compromised
// comes next. To have two roots, either of which opens the vault, pass kms.Either of both.
//
// The former root must open what is stored, and the new one what it has sealed, before anything is written; each answer is
// waited for until ctx ends, 30 s at most. No byte sealed under the former root is left in live files; backups made before
// keep it. Another process that has the vault open and whose root does not open the new keyring grants nothing any more:
// ErrWrongKey or ErrKMSUnavailable, until it is opened again with the new root.
func (o *Operator) SetRoot(ctx context.Context, root RootKey, reason string) error {
	c := &call{op: opRoot, by: o.session, req: Request{Reason: reason}}
	if root != nil {
		c.root = ask(root)
	}
	return o.do(ctx, c)
}

func (c *call) checkRoot() error {
	if c.root == nil {
		return errors.New("root: required: kms.KeyFile, kms.Passphrase, kms.Wrapper or kms.Either")
	}
	return nil
}

func loadRoot(ctx context.Context, v *core, c *call) error {
	c.ring, c.ringRow = nil, nil
	if err := v.loadNext(ctx, c, c.root, keyChange{}); err != nil {
		return err
	}
	return c.rotated(rotateDetail{Generation: c.ring.generation})
}
