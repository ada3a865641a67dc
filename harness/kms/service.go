// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"github.com/hashicorp/go-kms-wrapping/v2/aead"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

// call is one question to a service that is broken.
type call struct {
	n       int                    // how many there were before it, since it broke
	opens   bool                   // or it seals
	good    func() ([]byte, error) // the right answer
	other   func() ([]byte, error) // that of the holder of another key
	foreign []byte                 // what was sealed for another vault
	healed  <-chan struct{}
}

// sleep ends early when the service is healed.
func (c call) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-c.healed:
	}
}

// keys are what the services of a run have.
type keys struct {
	good, other wrapping.Wrapper
	foreign     []byte
}

func newKeys(ctx context.Context) (k keys, err error) {
	var failed error
	k.good, err = newWrapper("key-1")
	k.other, failed = newWrapper("key-2")
	if err = errors.Join(err, failed); err != nil {
		return k, err
	}
	spy := &spy{RootKey: kms.Wrapper(k.good)}
	v, err := vault.Open(ctx, vault.Config{Store: memory.New(), Root: spy})
	if err != nil {
		return k, err
	}
	k.foreign = spy.saw
	return k, v.Close()
}

func newWrapper(id string) (wrapping.Wrapper, error) {
	w, key := aead.NewWrapper(), make([]byte, 32)
	rand.Read(key) // never fails
	_, err := w.SetConfig(context.Background(), wrapping.WithKeyId(id))
	return w, errors.Join(err, w.SetAesGcmKeyBytes(key))
}

// spy keeps what it is to seal.
type spy struct {
	vault.RootKey
	saw []byte
}

func (s *spy) EncryptWithContext(ctx context.Context, plaintext, data []byte) ([]byte, error) {
	s.saw = append([]byte(nil), plaintext...)
	return s.RootKey.EncryptWithContext(ctx, plaintext, data)
}

// service holds the good key. It works until it is broken, and again when it is healed.
type service struct {
	keys
	mu     sync.Mutex
	fault  *fault
	n      int
	healed chan struct{}
}

func (s *service) breakBy(f *fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.n, s.healed = f, 0, make(chan struct{})
}

func (s *service) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		s.fault = nil
		close(s.healed)
	}
}

func (s *service) answer(opens bool, good, other func() ([]byte, error)) ([]byte, error) {
	s.mu.Lock()
	f, c := s.fault, call{n: s.n, opens: opens, good: good, other: other, foreign: s.foreign, healed: s.healed}
	s.n++
	s.mu.Unlock()
	if f == nil {
		return good()
	}
	return f.answer(c)
}

// own is the service as a root of a user's own.
type own struct {
	*service
	good, other vault.RootKey
}

func (s *service) own() vault.RootKey {
	return own{s, kms.Wrapper(s.keys.good), kms.Wrapper(s.keys.other)}
}

func (o own) EncryptWithContext(ctx context.Context, plaintext, data []byte) ([]byte, error) {
	return o.answer(false,
		func() ([]byte, error) { return o.good.EncryptWithContext(ctx, plaintext, data) },
		func() ([]byte, error) { return o.other.EncryptWithContext(ctx, plaintext, data) })
}

func (o own) DecryptWithContext(ctx context.Context, ciphertext, data []byte) ([]byte, error) {
	return o.answer(true,
		func() ([]byte, error) { return o.good.DecryptWithContext(ctx, ciphertext, data) },
		func() ([]byte, error) { return o.other.DecryptWithContext(ctx, ciphertext, data) })
}

// wrapper is the service inside of kms.Wrapper.
type wrapper struct {
	wrapping.Wrapper
	*service
}

func (s *service) wrapped() vault.RootKey { return kms.Wrapper(wrapper{s.keys.good, s}) }

func (w wrapper) Encrypt(ctx context.Context, plaintext []byte, o ...wrapping.Option) (blob *wrapping.BlobInfo, err error) {
	by := func(inner wrapping.Wrapper) func() ([]byte, error) {
		return func() ([]byte, error) {
			if blob, err = inner.Encrypt(ctx, plaintext, o...); err != nil {
				return nil, err
			}
			return blob.Ciphertext, nil
		}
	}
	ciphertext, err := w.answer(false, by(w.keys.good), by(w.keys.other))
	if err != nil {
		return nil, err
	}
	if blob == nil {
		blob = &wrapping.BlobInfo{}
	}
	blob.Ciphertext = ciphertext
	return blob, nil
}

func (w wrapper) Decrypt(ctx context.Context, blob *wrapping.BlobInfo, o ...wrapping.Option) ([]byte, error) {
	return w.answer(true,
		func() ([]byte, error) { return w.keys.good.Decrypt(ctx, blob, o...) },
		func() ([]byte, error) { return w.keys.other.Decrypt(ctx, blob, o...) })
}

// masked is the seeded bug: a root that calls whatever goes wrong a failure of the network.
type masked struct{ vault.RootKey }

func (m masked) DecryptWithContext(ctx context.Context, ciphertext, data []byte) ([]byte, error) {
	plaintext, err := m.RootKey.DecryptWithContext(ctx, ciphertext, data)
	if err != nil {
		err = errReset
	}
	return plaintext, err
}
