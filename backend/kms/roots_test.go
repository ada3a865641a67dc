// SPDX-License-Identifier: Apache-2.0

package kms_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"github.com/hashicorp/go-kms-wrapping/v2/aead"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/vault"
)

var (
	plaintext = []byte("the keyring, more or less: \x00\x01\x02\xff")
	data      = []byte("keyward keyring v1, vault 7")
)

// kind is one of the roots: right opens what it sealed, wrong never does.
type kind struct {
	name         string
	right, wrong vault.RootKey
	skip         func(bit int) bool // flips that cost too much here and are tested elsewhere
}

func kinds(t testing.TB) []kind {
	never := func(int) bool { return false }
	all := []kind{
		{"passphrase", kms.CheapPassphrase(vault.NewSecret("correct horse battery")), kms.CheapPassphrase(vault.NewSecret("correct horse batterz")),
			func(bit int) bool { return bit >= 6*8 && bit < 10*8 }}, // memory: up to 1 GiB at each flip
		{"wrapper with key id", kms.Wrapper(aeadWrapper(t, "key-1")), kms.Wrapper(aeadWrapper(t, "key-2")), never},
		{"wrapper without key id", kms.Wrapper(aeadWrapper(t, "")), kms.Wrapper(aeadWrapper(t, "")), never},
		{"wrapper that ignores associated data", kms.Wrapper(envelope("key-1")), kms.Wrapper(envelope("key-2")), never},
		{"either", kms.Either(kms.Wrapper(aeadWrapper(t, "key-7")), kms.CheapPassphrase(vault.NewSecret("purple monkey dishwasher"))),
			kms.Either(kms.Wrapper(aeadWrapper(t, "key-8")), kms.CheapPassphrase(vault.NewSecret("purple monkey dishwashes"))), never},
	}
	if runtime.GOOS != "windows" {
		dir := t.TempDir()
		all = append(all, kind{"key file", kms.KeyFile(filepath.Join(dir, "a")), kms.KeyFile(newKeyFile(t, filepath.Join(dir, "b"))), never})
	}
	return all
}

func aeadWrapper(t testing.TB, id string) *aead.Wrapper {
	t.Helper()
	w := aead.NewWrapper()
	key := make([]byte, 32)
	rand.Read(key)
	if _, err := w.SetConfig(t.Context(), wrapping.WithKeyId(id), aead.WithKey(key)); err != nil {
		t.Fatal(err)
	}
	return w
}

func envelope(id string) *wrapping.TestWrapper {
	key := make([]byte, 32)
	rand.Read(key)
	w := wrapping.NewTestEnvelopeWrapper(key)
	w.SetKeyId(id)
	return w
}

func newKeyFile(t testing.TB, path string) string {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	if err := os.WriteFile(path, kms.FormatKey(key), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func seal(t testing.TB, r vault.RootKey) []byte {
	t.Helper()
	b, err := r.EncryptWithContext(t.Context(), plaintext, data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	for _, k := range kinds(t) {
		for _, p := range [][]byte{nil, {0}, plaintext, make([]byte, kms.MaxPlaintext)} {
			for _, d := range [][]byte{nil, data} {
				b, err := k.right.EncryptWithContext(t.Context(), p, d)
				if err != nil {
					t.Fatalf("%s: seal %d bytes: %v", k.name, len(p), err)
				}
				again, err := k.right.DecryptWithContext(t.Context(), b, d)
				if err != nil || !bytes.Equal(again, p) {
					t.Fatalf("%s: open %d bytes: %d bytes, %v", k.name, len(p), len(again), err)
				}
				if len(p) > 8 && bytes.Contains(b, p) {
					t.Fatalf("%s: the plaintext stands in the ciphertext", k.name)
				}
			}
		}
	}
}

func TestWrongKey(t *testing.T) {
	for _, k := range kinds(t) {
		b := seal(t, k.right)
		before := bytes.Clone(b)
		if p, err := k.wrong.DecryptWithContext(t.Context(), b, data); p != nil || !errors.Is(err, vault.ErrWrongKey) || errors.Is(err, vault.ErrTampered) {
			t.Errorf("%s: wrong key: %q, %v", k.name, p, err)
		}
		for _, other := range kinds(t) {
			if other.name[:4] == k.name[:4] {
				continue
			}
			if p, err := other.right.DecryptWithContext(t.Context(), b, data); p != nil || !errors.Is(err, vault.ErrWrongKey) {
				t.Errorf("%s opened by %s: %q, %v", k.name, other.name, p, err)
			}
		}
		if !bytes.Equal(b, before) {
			t.Errorf("%s: the ciphertext was written to", k.name)
		}
	}
}

// refusal is what changed bytes may answer: never success, never "no answer".
func refusal(err error) bool {
	return (errors.Is(err, vault.ErrTampered) || errors.Is(err, vault.ErrWrongKey)) && !errors.Is(err, vault.ErrKMSUnavailable)
}

func TestEveryChangeIsRefused(t *testing.T) {
	for _, k := range kinds(t) {
		b := seal(t, k.right)
		for bit := range 8 * len(b) {
			if k.skip(bit) {
				continue
			}
			c := bytes.Clone(b)
			c[bit/8] ^= 1 << (bit % 8)
			if p, err := k.right.DecryptWithContext(t.Context(), c, data); p != nil || !refusal(err) {
				t.Errorf("%s: bit %d of byte %d flipped: %q, %v", k.name, bit%8, bit/8, p, err)
			}
		}
		for n := range b {
			if p, err := k.right.DecryptWithContext(t.Context(), b[:n], data); p != nil || !errors.Is(err, vault.ErrTampered) && !errors.Is(err, vault.ErrWrongKey) {
				t.Errorf("%s: cut to %d bytes: %q, %v", k.name, n, p, err)
			}
		}
		for _, c := range [][]byte{append(bytes.Clone(b), 0), append([]byte{0}, b...), make([]byte, 3<<20), append(bytes.Clone(b), b...)} {
			if p, err := k.right.DecryptWithContext(t.Context(), c, data); p != nil || !refusal(err) {
				t.Errorf("%s: %d bytes instead of %d: %q, %v", k.name, len(c), len(b), p, err)
			}
		}
		if _, err := k.right.DecryptWithContext(t.Context(), b, data); err != nil {
			t.Errorf("%s: unchanged: %v", k.name, err)
		}
	}
}

func TestWrongAssociatedData(t *testing.T) {
	for _, k := range kinds(t) {
		b := seal(t, k.right)
		for _, d := range [][]byte{nil, data[1:], append(bytes.Clone(data), 0), []byte("keyward keyring v1, vault 8")} {
			if p, err := k.right.DecryptWithContext(t.Context(), b, d); p != nil || !refusal(err) {
				t.Errorf("%s: with associated data %q: %q, %v", k.name, d, p, err)
			}
		}
	}
}

func TestThousandWrongKeys(t *testing.T) {
	phrase := kms.CheapPassphrase(vault.NewSecret("correct horse battery"))
	right := kms.Wrapper(aeadWrapper(t, ""))
	sealedPhrase, sealedWrapper := seal(t, phrase), seal(t, right)
	dir := t.TempDir()
	file := filepath.Join(dir, "root.key")
	var sealedFile []byte
	if runtime.GOOS != "windows" {
		sealedFile = seal(t, kms.KeyFile(file))
	}
	for i := range 1000 {
		var guess [16]byte
		binary.BigEndian.PutUint64(guess[:], uint64(i))
		tries := map[string]func() ([]byte, error){
			"passphrase": func() ([]byte, error) {
				return kms.CheapPassphrase(vault.NewSecret(string(guess[:]))).DecryptWithContext(t.Context(), sealedPhrase, data)
			},
			"wrapper": func() ([]byte, error) {
				return kms.Wrapper(aeadWrapper(t, "")).DecryptWithContext(t.Context(), sealedWrapper, data)
			},
		}
		if sealedFile != nil {
			tries["key file"] = func() ([]byte, error) {
				return kms.KeyFile(newKeyFile(t, file)).DecryptWithContext(t.Context(), sealedFile, data)
			}
		}
		for name, try := range tries {
			if p, err := try(); p != nil || !errors.Is(err, vault.ErrWrongKey) {
				t.Fatalf("%s: key %d: %q, %v", name, i, p, err)
			}
		}
	}
}

func TestLimitsAndContext(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, k := range kinds(t) {
		b := seal(t, k.right)
		if _, err := k.right.EncryptWithContext(t.Context(), make([]byte, kms.MaxPlaintext+1), nil); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%s: too long: %v", k.name, err)
		}
		if _, err := k.right.EncryptWithContext(t.Context(), nil, make([]byte, 1<<20)); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%s: too much associated data: %v", k.name, err)
		}
		if _, err := k.right.DecryptWithContext(t.Context(), b, make([]byte, 1<<20)); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%s: too much associated data: %v", k.name, err)
		}
		if _, err := k.right.EncryptWithContext(ended, plaintext, data); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: sealed in an ended context: %v", k.name, err)
		}
		if _, err := k.right.DecryptWithContext(ended, b, data); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: opened in an ended context: %v", k.name, err)
		}
	}
}
