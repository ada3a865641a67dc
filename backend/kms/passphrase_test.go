// SPDX-License-Identifier: Apache-2.0

package kms_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/vault"
)

// The cheap twin goes through every bit in roots_test.go; here the real cost runs at some forty places.
func TestPassphraseAtItsRealCost(t *testing.T) {
	r := kms.Passphrase(vault.NewSecret("correct horse battery"))
	b := seal(t, r)
	if p, err := r.DecryptWithContext(t.Context(), b, data); err != nil || !bytes.Equal(p, plaintext) {
		t.Fatalf("open: %v", err)
	}
	wrong := kms.Passphrase(vault.NewSecret("correct horse batterz"))
	if _, err := wrong.DecryptWithContext(t.Context(), b, data); !errors.Is(err, vault.ErrWrongKey) {
		t.Errorf("wrong passphrase: %v", err)
	}
	passes, memory, lanes, err := kms.ParsePassHead(b)
	if err != nil || passes != 3 || memory != 64<<10 || lanes != 4 {
		t.Errorf("head: %d passes, %d KiB, %d lanes, %v", passes, memory, lanes, err)
	}

	// Refused before Argon2 runs: all of kind, format and passes, and what is out of bounds of the rest.
	bounds := time.Now()
	flips := []int{}
	for bit := range 8 * 10 {
		c := bytes.Clone(b)
		c[bit/8] ^= 1 << (bit % 8)
		if _, _, _, err := kms.ParsePassHead(c); err != nil {
			flips = append(flips, bit)
		}
	}
	if len(flips) < 50 {
		t.Errorf("only %d flips of the head are refused by its bounds", len(flips))
	}
	for _, bit := range flips {
		c := bytes.Clone(b)
		c[bit/8] ^= 1 << (bit % 8)
		if p, err := r.DecryptWithContext(t.Context(), c, data); p != nil || !refusal(err) {
			t.Errorf("bit %d of the head flipped: %q, %v", bit, p, err)
		}
	}
	if took := time.Since(bounds); took > time.Minute {
		t.Errorf("bounds took %v: Argon2 ran", took)
	}
	for _, at := range []int{10, 11, 26, 27, 58, 59, 70, 71, len(b) - 1} { // lanes, salt, check value, nonce, sealed, tag
		c := bytes.Clone(b)
		c[at] ^= 1
		if p, err := r.DecryptWithContext(t.Context(), c, data); p != nil || !refusal(err) {
			t.Errorf("byte %d changed: %q, %v", at, p, err)
		}
	}
}

func TestPassphraseBounds(t *testing.T) {
	head := func(passes, memory uint32, lanes byte) []byte {
		b := binary.BigEndian.AppendUint32([]byte{'P', 1}, passes)
		b = binary.BigEndian.AppendUint32(b, memory)
		return append(append(b, lanes), make([]byte, 100)...)
	}
	r := kms.Passphrase(vault.NewSecret("correct horse battery"))
	for _, b := range [][]byte{
		head(0, 64<<10, 4), head(2, 64<<10, 4), head(11, 64<<10, 4), head(1<<31, 64<<10, 4),
		head(3, 0, 4), head(3, 64<<10-1, 4), head(3, 1<<20+1, 4), head(3, 1<<32-1, 4),
		head(3, 64<<10, 0), head(3, 64<<10, 17), head(3, 64<<10, 255),
	} {
		start := time.Now()
		if _, err := r.DecryptWithContext(t.Context(), b, data); !errors.Is(err, vault.ErrTampered) || time.Since(start) > time.Minute {
			t.Errorf("% x: %v after %v", b[:11], err, time.Since(start))
		}
	}
}

func TestPassphraseLength(t *testing.T) {
	good := seal(t, kms.CheapPassphrase(vault.NewSecret("correct horse battery")))
	for _, c := range []struct {
		phrase     string
		seal, open error
	}{
		{"", vault.ErrNoKey, vault.ErrNoKey},
		{"hunter2hunt", vault.ErrInvalid, vault.ErrWrongKey},
		{"hunter2hunte", nil, vault.ErrWrongKey},
		{strings.Repeat("x", 4096), nil, vault.ErrWrongKey},
		{strings.Repeat("x", 4097), vault.ErrInvalid, vault.ErrInvalid},
		{"correct horse battery\n", nil, vault.ErrWrongKey},
	} {
		r := kms.CheapPassphrase(vault.NewSecret(c.phrase))
		_, err := r.EncryptWithContext(t.Context(), plaintext, data)
		if !errors.Is(err, c.seal) {
			t.Errorf("seal under %d bytes: %v", len(c.phrase), err)
		}
		if c.phrase != "" && err != nil && strings.Contains(err.Error(), c.phrase) {
			t.Error("the error quotes the passphrase")
		}
		if _, err := r.DecryptWithContext(t.Context(), good, data); !errors.Is(err, c.open) {
			t.Errorf("open under %d bytes: %v", len(c.phrase), err)
		}
	}
	if _, err := kms.Passphrase(vault.Secret{}).EncryptWithContext(t.Context(), plaintext, data); !errors.Is(err, vault.ErrNoKey) {
		t.Errorf("seal under the zero Secret: %v", err)
	}
}

func TestPassphraseObeysItsContext(t *testing.T) {
	r := kms.Passphrase(vault.NewSecret("correct horse battery"))
	var wg sync.WaitGroup
	for range 8 { // one runs, the others wait for it: all leave in time
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := r.EncryptWithContext(ctx, plaintext, data)
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > time.Minute {
				t.Errorf("%v after %v", err, took)
			}
		})
	}
	wg.Wait()
}
