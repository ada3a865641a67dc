// SPDX-License-Identifier: Apache-2.0

package kms_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/vault"
)

// fake is a wrapper whose answers a test replaces.
type fake struct {
	wrapping.Wrapper
	encrypt func(plaintext []byte, blob *wrapping.BlobInfo) (*wrapping.BlobInfo, error) // blob: the right answer
	decrypt func(blob *wrapping.BlobInfo, plaintext []byte) ([]byte, error)             // plaintext: the right answer
	keyID   func() (string, error)
}

func (f fake) Encrypt(ctx context.Context, plaintext []byte, opts ...wrapping.Option) (*wrapping.BlobInfo, error) {
	blob, err := f.Wrapper.Encrypt(ctx, plaintext, opts...)
	if err != nil || f.encrypt == nil {
		return blob, err
	}
	return f.encrypt(plaintext, blob)
}

func (f fake) Decrypt(ctx context.Context, blob *wrapping.BlobInfo, opts ...wrapping.Option) ([]byte, error) {
	plaintext, err := f.Wrapper.Decrypt(ctx, blob, opts...)
	if err != nil || f.decrypt == nil {
		return plaintext, err
	}
	return f.decrypt(blob, plaintext)
}

func (f fake) KeyId(ctx context.Context) (string, error) {
	if f.keyID == nil {
		return f.Wrapper.KeyId(ctx)
	}
	return f.keyID()
}

func TestWrapperThatDoesNotSeal(t *testing.T) {
	w := aeadWrapper(t, "key-1")
	for name, encrypt := range map[string]func([]byte, *wrapping.BlobInfo) (*wrapping.BlobInfo, error){
		"error":           func([]byte, *wrapping.BlobInfo) (*wrapping.BlobInfo, error) { return nil, io.ErrUnexpectedEOF },
		"panic":           func([]byte, *wrapping.BlobInfo) (*wrapping.BlobInfo, error) { panic("boom") },
		"nil":             func([]byte, *wrapping.BlobInfo) (*wrapping.BlobInfo, error) { return nil, nil },
		"empty":           func([]byte, *wrapping.BlobInfo) (*wrapping.BlobInfo, error) { return &wrapping.BlobInfo{}, nil },
		"ended goroutine": func([]byte, *wrapping.BlobInfo) (*wrapping.BlobInfo, error) { runtime.Goexit(); return nil, nil },
		"short ciphertext": func(_ []byte, b *wrapping.BlobInfo) (*wrapping.BlobInfo, error) {
			b.Ciphertext = b.Ciphertext[:11]
			return b, nil
		},
		"cut ciphertext": func(_ []byte, b *wrapping.BlobInfo) (*wrapping.BlobInfo, error) {
			b.Ciphertext = b.Ciphertext[:40]
			return b, nil
		},
		"endless": func(_ []byte, b *wrapping.BlobInfo) (*wrapping.BlobInfo, error) {
			b.Hmac = make([]byte, 4<<20)
			return b, nil
		},
		"plaintext beside": func(p []byte, b *wrapping.BlobInfo) (*wrapping.BlobInfo, error) { b.Plaintext = p; return b, nil },
		"key beside": func(_ []byte, b *wrapping.BlobInfo) (*wrapping.BlobInfo, error) {
			b.KeyInfo.Key = []byte{1}
			return b, nil
		},
		"nothing encrypted": func(p []byte, b *wrapping.BlobInfo) (*wrapping.BlobInfo, error) {
			b.Ciphertext = append(make([]byte, 12), p...)
			return b, nil
		},
		"bad text": func(_ []byte, b *wrapping.BlobInfo) (*wrapping.BlobInfo, error) {
			b.KeyInfo.KeyId = "\xff"
			return b, nil
		},
	} {
		b, err := kms.Wrapper(fake{Wrapper: w, encrypt: encrypt}).EncryptWithContext(t.Context(), plaintext, data)
		if b != nil || !errors.Is(err, vault.ErrKMSUnavailable) {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
		if name == "error" && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: the wrapper's error is lost: %v", name, err)
		}
	}
	if _, err := kms.Wrapper(nil).EncryptWithContext(t.Context(), plaintext, data); !errors.Is(err, vault.ErrNoKey) {
		t.Errorf("no wrapper: %v", err)
	}
	if _, err := kms.Wrapper((*wrapping.TestWrapper)(nil)).EncryptWithContext(t.Context(), plaintext, data); !errors.Is(err, vault.ErrKMSUnavailable) {
		t.Errorf("typed nil: %v", err)
	}
}

func TestWrapperThatDoesNotOpen(t *testing.T) {
	w := aeadWrapper(t, "key-1")
	var first []byte // the frame of another blob
	other := fake{Wrapper: w, decrypt: func(_ *wrapping.BlobInfo, p []byte) ([]byte, error) { first = p; return p, nil }}
	seal(t, kms.Wrapper(other))
	sealed := seal(t, kms.Wrapper(w))
	for _, c := range []struct {
		name    string
		want    error
		decrypt func(*wrapping.BlobInfo, []byte) ([]byte, error)
		keyID   func() (string, error)
	}{
		{"error", vault.ErrKMSUnavailable, func(*wrapping.BlobInfo, []byte) ([]byte, error) { return nil, errors.New("access denied") }, nil},
		{"panic", vault.ErrKMSUnavailable, func(*wrapping.BlobInfo, []byte) ([]byte, error) { panic(errors.New("boom")) }, nil},
		{"ended goroutine", vault.ErrKMSUnavailable, func(*wrapping.BlobInfo, []byte) ([]byte, error) { runtime.Goexit(); return nil, nil }, nil},
		{"error and a value", vault.ErrKMSUnavailable, func(_ *wrapping.BlobInfo, p []byte) ([]byte, error) { return p, io.EOF }, nil},
		{"AWS", vault.ErrTampered, func(*wrapping.BlobInfo, []byte) ([]byte, error) {
			return nil, errors.New("error decrypting data: operation error KMS: Decrypt, InvalidCiphertextException: ")
		}, nil},
		{"nil", vault.ErrTampered, func(*wrapping.BlobInfo, []byte) ([]byte, error) { return nil, nil }, nil},
		{"short", vault.ErrTampered, func(_ *wrapping.BlobInfo, p []byte) ([]byte, error) { return p[:31], nil }, nil},
		{"garbage", vault.ErrTampered, func(_ *wrapping.BlobInfo, p []byte) ([]byte, error) { return make([]byte, len(p)), nil }, nil},
		{"another blob's answer", vault.ErrTampered, func(*wrapping.BlobInfo, []byte) ([]byte, error) { return first, nil }, nil},
		{"another blob's answer, other key", vault.ErrWrongKey, func(*wrapping.BlobInfo, []byte) ([]byte, error) { return first, nil },
			func() (string, error) { return "key-2", nil }},
		{"garbage, no key id", vault.ErrWrongKey, func(*wrapping.BlobInfo, []byte) ([]byte, error) { return nil, nil },
			func() (string, error) { return "", io.EOF }},
		{"garbage, key id panics", vault.ErrKMSUnavailable, func(*wrapping.BlobInfo, []byte) ([]byte, error) { return nil, nil },
			func() (string, error) { panic("boom") }},
		{"rotated key that still opens", nil, nil, func() (string, error) { return "key-2", nil }},
	} {
		p, err := kms.Wrapper(fake{Wrapper: w, decrypt: c.decrypt, keyID: c.keyID}).DecryptWithContext(t.Context(), sealed, data)
		if !errors.Is(err, c.want) || err == nil != bytes.Equal(p, plaintext) {
			t.Errorf("%s: %q, %v; want %v", c.name, p, err, c.want)
		}
	}
}

// Nobody at the key service hears of damaged bytes, and none of them reaches code that could break on them.
func TestWrapperIsShownWholeBytesOnly(t *testing.T) {
	calls := 0
	w := fake{Wrapper: aeadWrapper(t, "key-1"), decrypt: func(_ *wrapping.BlobInfo, p []byte) ([]byte, error) { calls++; return p, nil }}
	r := kms.Wrapper(w)
	sealed := seal(t, r)
	calls = 0
	for i := range sealed {
		c := bytes.Clone(sealed)
		c[i]++
		if _, err := r.DecryptWithContext(t.Context(), c, data); !refusal(err) {
			t.Errorf("byte %d: %v", i, err)
		}
		if _, err := r.DecryptWithContext(t.Context(), sealed[:i], data); !refusal(err) {
			t.Errorf("cut to %d: %v", i, err)
		}
	}
	if calls != 0 {
		t.Errorf("the wrapper was asked %d times", calls)
	}
}

// A wrapper that hangs holds up no caller, and no more than MaxUnderWay goroutines. The bubble reports any that is left.
func TestWrapperThatHangs(t *testing.T) {
	w := aeadWrapper(t, "key-1")
	sealed := seal(t, kms.Wrapper(w))
	synctest.Test(t, func(t *testing.T) {
		const patience = 50 * time.Millisecond
		release := make(chan struct{})
		var under, most atomic.Int32
		hang := func() {
			for n := under.Add(1); ; {
				if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			defer under.Add(-1)
			<-release
		}
		r := kms.Wrapper(fake{
			Wrapper: w,
			encrypt: func([]byte, *wrapping.BlobInfo) (*wrapping.BlobInfo, error) { hang(); return nil, io.EOF },
			decrypt: func(*wrapping.BlobInfo, []byte) ([]byte, error) { hang(); return nil, io.EOF },
		})
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				start, err := time.Now(), error(nil)
				if i%2 == 0 {
					_, err = r.EncryptWithContext(ctx, plaintext, data)
				} else {
					_, err = r.DecryptWithContext(ctx, sealed, data)
				}
				if took := time.Since(start); !errors.Is(err, vault.ErrKMSUnavailable) || !errors.Is(err, context.DeadlineExceeded) || took != patience {
					t.Errorf("%v after %v", err, took)
				}
			})
		}
		wg.Wait()
		if n := under.Load(); n != kms.MaxUnderWay {
			t.Errorf("%d calls hang, want the %d that may", n, kms.MaxUnderWay)
		}
		close(release)
		synctest.Wait()
		if n := most.Load(); n != kms.MaxUnderWay || under.Load() != 0 {
			t.Errorf("%d calls were under way at most, %d are left", n, under.Load())
		}
	})
}

// A wrapper that fails every second time never makes a wrong answer, and no claim that stored data was changed.
func TestFlappingWrapper(t *testing.T) {
	w := aeadWrapper(t, "key-1")
	sealed := seal(t, kms.Wrapper(w))
	n := 0
	r := kms.Wrapper(fake{Wrapper: w, decrypt: func(_ *wrapping.BlobInfo, p []byte) ([]byte, error) {
		if n++; n%2 == 0 {
			return nil, errors.New("connection reset by peer")
		}
		return p, nil
	}})
	for i := range 20 {
		p, err := r.DecryptWithContext(t.Context(), sealed, data)
		if i%2 == 0 != (err == nil) || err == nil && !bytes.Equal(p, plaintext) || err != nil && !errors.Is(err, vault.ErrKMSUnavailable) {
			t.Errorf("call %d: %q, %v", i, p, err)
		}
	}
}

// An answer in the clear could be planted by whoever can write the store: no wrapper is trusted not to pass it on.
func TestPlantedBlob(t *testing.T) {
	for name, plant := range map[string]func(*wrapping.BlobInfo){
		"plaintext": func(b *wrapping.BlobInfo) { b.Plaintext = make([]byte, 64) },
		"key":       func(b *wrapping.BlobInfo) { b.KeyInfo.Key = make([]byte, 32) },
		"short":     func(b *wrapping.BlobInfo) { b.Ciphertext = b.Ciphertext[:11] },
		"none":      func(b *wrapping.BlobInfo) { b.Ciphertext = nil },
		"iv":        func(b *wrapping.BlobInfo) { b.Iv = make([]byte, 3) },
		"key id":    func(b *wrapping.BlobInfo) { b.KeyInfo.KeyId = "key-2" },
		"hmac":      func(b *wrapping.BlobInfo) { b.Hmac = []byte("x") },
	} {
		r := kms.Wrapper(aeadWrapper(t, "key-1"))
		b := replant(t, seal(t, r), plant)
		if p, err := r.DecryptWithContext(t.Context(), b, data); p != nil || !refusal(err) {
			t.Errorf("%s: %q, %v", name, p, err)
		}
	}
}

func TestWrapperErrorsDoNotQuote(t *testing.T) {
	w := aeadWrapper(t, "key-1")
	for name, text := range map[string]func(b []byte) string{
		"raw":     func(b []byte) string { return "bad input: " + string(b) },
		"part":    func(b []byte) string { return "bad input: " + string(b[5:25]) },
		"tail":    func(b []byte) string { return "bad input: " + string(b[len(b)-20:]) },
		"hex":     func(b []byte) string { return "bad input: " + hex.EncodeToString(b) },
		"base64":  func(b []byte) string { return "bad input: " + base64.StdEncoding.EncodeToString(b[1:]) },
		"url":     func(b []byte) string { return "bad input: " + base64.URLEncoding.EncodeToString(b[2:]) },
		"decimal": func(b []byte) string { return fmt.Sprint("bad input: ", b) },
		"go":      func(b []byte) string { return fmt.Sprintf("bad input: %#v", b) },
		"quoted":  func(b []byte) string { return fmt.Sprintf("bad input: %q", b) },
		"long":    func(b []byte) string { return strings.Repeat("x", 1<<20) + string(b) },
	} {
		r := kms.Wrapper(fake{Wrapper: w, encrypt: func(p []byte, _ *wrapping.BlobInfo) (*wrapping.BlobInfo, error) { return nil, errors.New(text(p)) }})
		if _, err := r.EncryptWithContext(t.Context(), plaintext, data); !errors.Is(err, vault.ErrKMSUnavailable) || strings.Contains(err.Error(), "bad input") || len(err.Error()) > 500 {
			t.Errorf("%s: %v", name, err)
		}
		r = kms.Wrapper(fake{Wrapper: w, encrypt: func(p []byte, _ *wrapping.BlobInfo) (*wrapping.BlobInfo, error) { panic(text(p)) }})
		if _, err := r.EncryptWithContext(t.Context(), plaintext, data); !errors.Is(err, vault.ErrKMSUnavailable) || strings.Contains(err.Error(), "bad input") {
			t.Errorf("%s: panic: %v", name, err)
		}
	}
	r := kms.Wrapper(fake{Wrapper: w, encrypt: func([]byte, *wrapping.BlobInfo) (*wrapping.BlobInfo, error) {
		return nil, errors.New("AccessDenied:\r\n\x1b[31m no kms:Encrypt on key-1")
	}})
	_, err := r.EncryptWithContext(t.Context(), plaintext, data)
	if !strings.Contains(err.Error(), "no kms:Encrypt on key-1") || strings.ContainsAny(err.Error(), "\r\n\x1b") {
		t.Errorf("the wrapper's words: %q", err)
	}
}
