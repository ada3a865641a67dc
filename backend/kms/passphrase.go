// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/crypto/argon2"

	"github.com/keyward-go/keyward/vault"
)

const (
	minPassphrase = 12
	maxPassphrase = 4096
	saltLen       = 16
	paramLen      = 9
	passHeadLen   = headLen + paramLen + saltLen
)

// cost is what one guess costs an attacker, and one open costs us.
type cost struct {
	passes, memory uint32 // memory in KiB
	lanes          uint8
}

var (
	written = cost{passes: 3, memory: 64 << 10, lanes: 4} // RFC 9106, section 4, second recommended
	most    = cost{passes: 10, memory: 1 << 20, lanes: 16}
)

// Passphrase returns a root whose key Argon2id derives from p, with a new salt at each sealing. It takes 64 MiB and some
// tenths of a second a call; the vault calls it at open and at rotation only.
//
// The passphrase is taken byte by byte: a newline read from a file counts. Sealing refuses fewer than 12 bytes, which is
// a floor and not advice: whoever copies the store may guess for years, so take six random words or more. An empty one
// is vault.ErrNoKey: most often a variable that is not set.
//
// When ctx ends the call returns at once; the derivation that it leaves behind ends by itself. One runs at a time.
func Passphrase(p vault.Secret) vault.RootKey { return passphrase(p, written, written) }

// passphrase has the costs that are written, and the least that is accepted, as parameters for the tests.
func passphrase(p vault.Secret, write, least cost) vault.RootKey {
	one := make(chan struct{}, 1)
	return &root{
		kind: kindPassphrase,
		seal: func(ctx context.Context, plaintext, data []byte) ([]byte, error) {
			phrase, err := read(p)
			if err != nil {
				return nil, err
			}
			if len(phrase) < minPassphrase {
				return nil, fmt.Errorf("%w: a passphrase of fewer than %d bytes; take six random words or more", vault.ErrInvalid, minPassphrase)
			}
			salt := make([]byte, saltLen)
			rand.Read(salt) // never fails
			key, err := stretch(ctx, one, phrase, salt, write)
			if err != nil {
				return nil, err
			}
			defer clear(key)
			return sealLocal(key, passHead(write, salt), plaintext, data)
		},
		open: func(ctx context.Context, ciphertext, data []byte) ([]byte, error) {
			c, salt, err := parsePassHead(ciphertext, least)
			if err != nil {
				return nil, err
			}
			phrase, err := read(p)
			if err != nil {
				return nil, err
			}
			key, err := stretch(ctx, one, phrase, salt, c)
			if err != nil {
				return nil, err
			}
			defer clear(key)
			return openLocal(key, passHeadLen, ciphertext, data)
		},
	}
}

// read runs in the caller's goroutine: Reveal panics for a secret that was only lent.
func read(p vault.Secret) ([]byte, error) {
	phrase := []byte(p.Reveal())
	switch {
	case len(phrase) == 0:
		return nil, fmt.Errorf("%w: the passphrase is empty; is its variable set?", vault.ErrNoKey)
	case len(phrase) > maxPassphrase:
		return nil, fmt.Errorf("%w: a passphrase of more than %d bytes", vault.ErrInvalid, maxPassphrase)
	}
	return phrase, nil
}

func passHead(c cost, salt []byte) []byte {
	b := []byte{kindPassphrase, format}
	b = binary.BigEndian.AppendUint32(b, c.passes)
	b = binary.BigEndian.AppendUint32(b, c.memory)
	return append(append(b, c.lanes), salt...)
}

// parsePassHead reads the parameters, which nothing has authenticated yet: Argon2 is what does, through the check value.
// So they are held between bounds before a byte is allocated for them.
func parsePassHead(b []byte, least cost) (c cost, salt []byte, err error) {
	if len(b) < passHeadLen+checkLen+nonceLen+tagLen || !bytes.Equal(b[:headLen], []byte{kindPassphrase, format}) {
		return cost{}, nil, fmt.Errorf("%w: it was cut", vault.ErrTampered)
	}
	p := b[headLen:]
	c = cost{binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:]), p[8]}
	if c.passes < least.passes || c.memory < least.memory || c.lanes < 1 ||
		c.passes > most.passes || c.memory > most.memory || c.lanes > most.lanes {
		return cost{}, nil, fmt.Errorf("%w: Argon2 parameters out of bounds", vault.ErrTampered)
	}
	return c, p[paramLen : paramLen+saltLen], nil
}

// stretch runs Argon2, which cannot be stopped, beside the caller, who may stop waiting.
func stretch(ctx context.Context, one chan struct{}, phrase, salt []byte, c cost) ([]byte, error) {
	select {
	case one <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	salt = slices.Clone(salt) // the caller may go and reuse its bytes
	done := make(chan []byte, 1)
	go func() {
		defer func() { <-one }()
		done <- argon2.IDKey(phrase, salt, c.passes, c.memory, c.lanes, keyLen)
		clear(phrase)
	}()
	select {
	case key := <-done:
		return key, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
