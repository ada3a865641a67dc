// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// patience is how long a root is waited for before the next one is asked too.
const patience = time.Second

// sealedBlob is what the roots are to open.
type sealedBlob struct {
	parts [][]byte // each for a root; which one is not written
	data  []byte   // bound to each part
	rest  func(opened []byte) ([]byte, error)
}

func (e *either) open(ctx context.Context, ciphertext, data []byte) ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	ciphertext, data = slices.Clone(ciphertext), slices.Clone(data) // roots may be at it when we are gone
	if ciphertext[0] != kindEither {
		return e.ask(ctx, sealedBlob{[][]byte{ciphertext}, data, func(plaintext []byte) ([]byte, error) { return plaintext, nil }})
	}
	parts, n, err := parseParts(ciphertext)
	if err != nil {
		return nil, err
	}
	body := ciphertext[:len(ciphertext)-sha256.Size]
	plaintext, err := e.ask(ctx, sealedBlob{parts, partData(data), func(key []byte) ([]byte, error) {
		defer clear(key)
		plaintext, err := openLocal(key, n, body, data)
		switch {
		case errors.Is(err, vault.ErrWrongKey):
			err = fmt.Errorf("%w: the root opens a part that belongs elsewhere", vault.ErrTampered)
		case err != nil:
			err = final{err}
		}
		return plaintext, err
	}})
	if err == nil {
		e.opened.Store(true)
	}
	return plaintext, err
}

// final is an error after which no other root can do better.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// ask asks the roots one after the other, and the next one too when those before it take long.
func (e *either) ask(ctx context.Context, b sealedBlob) ([]byte, error) {
	outer := ctx
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	wait := patience
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)/time.Duration(len(e.roots)))
	}
	next := time.NewTimer(0)
	defer next.Stop()
	type reply struct {
		from int
		answer
	}
	replies := make(chan reply, len(e.roots))
	errs := make([]error, len(e.roots))
	for asked, ended := 0, 0; ended < len(e.roots); {
		select {
		case <-next.C:
			if i := asked; i < len(e.roots) {
				go func() {
					out, err := e.roots[i].open(ctx, i, b)
					replies <- reply{i, answer{out, err}}
				}()
				asked++
				next.Reset(wait)
			}
		case r := <-replies:
			if r.err == nil || errors.As(r.err, new(final)) {
				return r.out, r.err
			}
			errs[r.from] = r.err
			ended++
			next.Reset(0)
		case <-outer.Done():
			return nil, fmt.Errorf("%w: no root has opened it in time: %w", vault.ErrKMSUnavailable, outer.Err())
		}
	}
	return nil, e.failure(errs)
}

// open tries the parts on one root, beginning with the one at the root's own place.
func (s spare) open(ctx context.Context, place int, b sealedBlob) ([]byte, error) {
	return s.do(ctx, func() (out []byte, err error) {
		for i := range b.parts {
			part := b.parts[(place+i)%len(b.parts)]
			opened, failed := s.DecryptWithContext(ctx, slices.Clone(part), slices.Clone(b.data))
			if failed == nil {
				if out, failed = b.rest(opened); failed == nil || errors.As(failed, new(final)) {
					return out, failed
				}
			}
			if err == nil || promise(failed) < promise(err) {
				err = failed
			}
			if ctx.Err() != nil {
				break
			}
		}
		return nil, err
	})
}

// promise orders errors: the lower, the more there is to hope for from what it says to do.
func promise(err error) int {
	switch {
	case errors.Is(err, vault.ErrKMSUnavailable):
		return 0
	case errors.Is(err, vault.ErrNoKey):
		return 1
	case errors.Is(err, vault.ErrWrongKey):
		return 4
	case errors.Is(err, vault.ErrTampered):
		return 3
	}
	return 2 // a key that cannot be used here, or a user's own error
}

// partData binds a part to what it is a part of: alone, no root opens it as a keyring.
func partData(data []byte) []byte { return bind([]byte{kindEither, format}, data) }

func appendPart(head, part []byte) []byte {
	return append(binary.BigEndian.AppendUint32(head, uint32(len(part))), part...)
}

func appendDigest(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// parseParts returns the parts and the length of all before the check value. The digest finds damage before a root is
// asked; it is no secret, and proves nothing against somebody who changed the bytes on purpose.
func parseParts(b []byte) (parts [][]byte, n int, err error) {
	bad := fmt.Errorf("%w: it was cut, or its parts are not whole", vault.ErrTampered)
	if len(b) < headLen+1+sha256.Size {
		return nil, 0, bad
	}
	body := b[:len(b)-sha256.Size]
	if sum := sha256.Sum256(body); subtle.ConstantTimeCompare(sum[:], b[len(body):]) != 1 {
		return nil, 0, fmt.Errorf("%w: its digest does not fit", vault.ErrTampered)
	}
	count, rest := int(body[headLen]), body[headLen+1:]
	if count < 1 || count > maxRoots {
		return nil, 0, bad
	}
	for range count {
		if len(rest) < 4 {
			return nil, 0, bad
		}
		size := binary.BigEndian.Uint32(rest)
		if rest = rest[4:]; size < 1 || size > maxPart || int(size) > len(rest) {
			return nil, 0, bad
		}
		parts, rest = append(parts, rest[:size]), rest[size:]
	}
	return parts, len(body) - len(rest), nil
}
