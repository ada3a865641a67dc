// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/keyward-go/keyward/vault"
)

// Either returns a root of 1 to 8 roots, any one of which opens what it seals: two keys at two services, or a service
// and a key file in a safe, so that losing one key is not the end. The vault is as safe as the weakest of them.
//
// Sealing is all or nothing: every root seals, and opens again what it sealed, or the first error is returned. Opening
// asks the roots in the order given. The next one is asked when one has failed, or has not answered for a second (or its
// equal share of the time to ctx's deadline, if that is less); those before it may still answer. So one that hangs
// costs a second at most, and a spare is not asked while the first opens. The order may change from one opening to
// the next, and roots may be missing or new.
//
// If none opens, the error says of each why, and is the most promising of them: vault.ErrKMSUnavailable or vault.ErrNoKey
// if a root had no answer or no key, since it may be the one that fits; else vault.ErrTampered before vault.ErrWrongKey.
// If one opens and the rest is not what was sealed, that is vault.ErrTampered, whatever the others would say.
//
// To bring it in: give Either of the present root and the new ones to every process, since it also opens what a KeyFile,
// Passphrase or Wrapper among its roots sealed alone; then have an operator set it as the root. To take a root out, the
// same way back. A KeyFile among the roots makes its file at the first sealing, that of a new vault or of a new root, and
// not later: once this Either has opened what an Either sealed, a missing file is a lost one, and sealing answers
// vault.ErrNoKey.
//
// Nobody is told of a root that fails while another opens, but by sealing, which rotation does: try each now and then.
// An Either inside an Either, or more than 8 roots, is vault.ErrInvalid at each call; none, or a nil one, vault.ErrNoKey.
func Either(roots ...vault.RootKey) vault.RootKey {
	e := new(either)
	for i, r := range roots {
		e.roots = append(e.roots, spare{r, newCaller(fmt.Sprintf("root %d", i+1))})
	}
	return &root{kind: kindEither, seal: e.seal, open: e.open}
}

const (
	maxRoots = 8
	maxPart  = 4 << 10 // of what a root made of 32 bytes
)

type either struct {
	roots  []spare
	opened atomic.Bool // something that an Either sealed: so the roots' keys have been made
}

// spare is one of the roots. It may be a user's own, so it is asked beside the caller.
type spare struct {
	vault.RootKey
	*caller
}

func (e *either) check() error {
	switch n := len(e.roots); {
	case n == 0:
		return fmt.Errorf("%w: kms.Either was given no root", vault.ErrNoKey)
	case n > maxRoots:
		return fmt.Errorf("%w: more than %d roots", vault.ErrInvalid, maxRoots)
	}
	for _, s := range e.roots {
		if s.RootKey == nil {
			return fmt.Errorf("%w: %s is nil", vault.ErrNoKey, s.whose)
		}
		if r, ok := s.RootKey.(*root); ok && r.kind == kindEither {
			return fmt.Errorf("%w: %s is a kms.Either itself; give its roots", vault.ErrInvalid, s.whose)
		}
	}
	return nil
}

// seal seals plaintext under a new key and that key under each root. The ciphertext authenticates the parts before it,
// so that none can be changed, put elsewhere or left out unseen, although opening looks at one only.
func (e *either) seal(ctx context.Context, plaintext, data []byte) ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	key := make([]byte, keyLen)
	rand.Read(key) // never fails
	defer clear(key)
	head := []byte{kindEither, format, byte(len(e.roots))}
	for _, s := range e.roots {
		part, err := s.seal(ctx, slices.Clone(key), partData(data), e.opened.Load())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.whose, err)
		}
		head = appendPart(head, part)
	}
	out, err := sealLocal(key, head, plaintext, data)
	if err != nil {
		return nil, err
	}
	return appendDigest(out), nil
}

// seal returns the part of one root. If its key has been made already, it is not made again.
func (s spare) seal(ctx context.Context, key, data []byte, made bool) ([]byte, error) {
	return s.do(ctx, func() ([]byte, error) {
		defer clear(key)
		if r, ok := s.RootKey.(*root); ok && r.have != nil && made {
			if err := r.have(); err != nil {
				return nil, fmt.Errorf("%w (to go on without it or make a new one, set a new root)", err)
			}
		}
		part, err := s.EncryptWithContext(ctx, slices.Clone(key), slices.Clone(data))
		if err != nil {
			return nil, err
		}
		if len(part) == 0 || len(part) > maxPart {
			return nil, fmt.Errorf("%w: %d bytes sealed are %d", vault.ErrKMSUnavailable, len(key), len(part))
		}
		again, err := s.DecryptWithContext(ctx, slices.Clone(part), slices.Clone(data))
		if err != nil {
			return nil, fmt.Errorf("what it sealed it does not open: %w", err)
		}
		defer clear(again)
		if subtle.ConstantTimeCompare(again, key) != 1 {
			return nil, fmt.Errorf("%w: what it sealed it opens as something else", vault.ErrKMSUnavailable)
		}
		return slices.Clone(part), nil
	})
}

// failure is the most promising of the roots' errors, with the text of the others behind it.
func (e *either) failure(errs []error) error {
	best := 0
	for i, err := range errs {
		if promise(err) < promise(errs[best]) {
			best = i
		}
	}
	var others strings.Builder
	for i, err := range errs {
		if i != best {
			fmt.Fprintf(&others, "; %s: %v", e.roots[i].whose, err)
		}
	}
	return fmt.Errorf("%s: %w%s", e.roots[best].whose, errs[best], others.String())
}
