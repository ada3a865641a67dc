// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"
)

// sealer seals values, each version under a data key of its own, and opens them. It is safe for concurrent use.
type sealer struct {
	keys   func() *keyring
	store  Store
	mu     sync.Mutex
	sealed *cache[[]byte]      // by hash of the sealed row
	opened *cache[cipher.AEAD] // data keys, by the same
	prints sync.Pool           // of keyed hashes for fingerprints
}

const (
	cacheBytes  = 32 << 20
	aeadBytes   = 800 // measured: an AES-256-GCM with its tables
	dataKeyLen  = 32
	maxSealed   = maxValue + 64
	labelValue  = "keyward value v1"
	labelKey    = "keyward dek v1"
	fingerprint = "fingerprint"
)

func newSealer(keys func() *keyring, s Store) *sealer {
	return &sealer{
		keys: keys, store: s,
		sealed: newCache[[]byte](cacheBytes), opened: newCache[cipher.AEAD](cacheBytes),
		prints: sync.Pool{New: func() any { return keys().sub(fingerprint) }},
	}
}

// bind is the associated data of a value or data key: label, vault id, path and version, each length-prefixed. It ties
// them to where they stand.
func (s *sealer) bind(label, path string, version int) []byte {
	id := s.keys().id
	b := make([]byte, 0, 4*5+len(label)+len(id)+len(path)+8)
	b = appendPrefixed(b, []byte(label))
	b = appendPrefixed(b, id[:])
	b = appendPrefixed(b, []byte(path))
	return appendPrefixed(b, binary.BigEndian.AppendUint64(nil, uint64(version)))
}

// seal encrypts a value under a fresh data key and wraps that with the keyring's. It fills the row's key, sum and
// fingerprint, and returns the sealed row.
func (s *sealer) seal(path string, version int, value []byte, row *versionRow) ([]byte, error) {
	var key [dataKeyLen]byte
	_, _ = rand.Read(key[:]) // never fails
	defer clear(key[:])
	a, err := newDataKey(key[:])
	if err != nil {
		return nil, err
	}
	if row.DataKey, err = s.keys().wrap.Encrypt(key[:], s.bind(labelKey, path, version)); err != nil {
		return nil, fmt.Errorf("wrap the data key: %w", err)
	}
	sealed := a.Seal(nil, nil, value, s.bind(labelValue, path, version))
	row.Sum = sha256.Sum256(sealed)
	row.Fingerprint = s.fingerprint(value)
	return sealed, nil
}

// newDataKey is AES-256-GCM that puts a random nonce in front. Each data key seals once.
func newDataKey(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// open loads a version and decrypts it into a buffer of its own: step 4 of the door.
func (s *sealer) open(ctx context.Context, path string, version int, row *versionRow) ([]byte, error) {
	s.mu.Lock()
	sealed, stored := s.sealed.get(row.Sum)
	a, ok := s.opened.get(row.Sum)
	s.mu.Unlock()
	if !stored {
		var err error
		if sealed, err = s.load(ctx, path, version, row); err != nil {
			return nil, err
		}
	}
	if !ok {
		key, err := s.keys().wrap.Decrypt(row.DataKey, s.bind(labelKey, path, version))
		if err != nil || len(key) != dataKeyLen {
			return nil, fmt.Errorf("%w: a data key does not belong to its version", ErrTampered)
		}
		defer clear(key)
		if a, err = newDataKey(key); err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.opened.put(row.Sum, a, aeadBytes)
		s.mu.Unlock()
	}
	value, err := a.Open(nil, nil, sealed, s.bind(labelValue, path, version))
	if err != nil {
		return nil, fmt.Errorf("%w: a value does not belong to its version", ErrTampered)
	}
	return value, nil
}

// rewrap wraps a data key with the key in use. It opens no value.
func (s *sealer) rewrap(k *keyring, v rowKey, wrapped []byte) ([]byte, error) {
	data := s.bind(labelKey, v.name, v.n)
	key, err := k.wrap.Decrypt(wrapped, data)
	if err != nil || len(key) != dataKeyLen {
		return nil, fmt.Errorf("%w: a data key does not belong to its version", ErrTampered)
	}
	defer clear(key)
	return k.wrap.Encrypt(key, data)
}

// forget drops what is cached of a version.
func (s *sealer) forget(sum [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed.remove(sum)
	s.opened.remove(sum)
}

// load reads the sealed row, whose hash the deciding row holds.
func (s *sealer) load(ctx context.Context, path string, version int, row *versionRow) ([]byte, error) {
	key := rowKey{'x', path, version}.String()
	r, err := readRow(ctx, s.store, key)
	if err != nil {
		return nil, fmt.Errorf("read the sealed value: %w", err)
	}
	if r.Key != key || len(r.Data) > maxSealed || sha256.Sum256(r.Data) != row.Sum {
		return nil, fmt.Errorf("%w: a sealed value is not the one that was put", ErrTampered)
	}
	s.mu.Lock()
	s.sealed.put(row.Sum, r.Data, len(r.Data))
	s.mu.Unlock()
	return r.Data, nil
}

// fingerprint is the first 16 bytes of the keyed hash of a value. It answers "which secret is this leaked value" without
// storing the value.
func (s *sealer) fingerprint(value []byte) (f [16]byte) {
	h := s.prints.Get().(hash.Hash)
	defer s.prints.Put(h)
	h.Reset()
	h.Write(value)
	var out [sha256.Size]byte
	copy(f[:], h.Sum(out[:0]))
	return f
}

func sameFingerprint(a, b [16]byte) bool { return hmac.Equal(a[:], b[:]) }
