// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

func TestTamperWrongRoot(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) vault.RootKey { return kms.KeyFile(filepath.Join(dir, name)) }
	if _, err := file("other").EncryptWithContext(context.Background(), []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	pass := func(s string) vault.RootKey { return kms.Passphrase(vault.NewSecret(s)) }
	cases := []struct {
		name         string
		right, wrong vault.RootKey
		want         error
	}{
		{"key file, another file", file("root.key"), file("other"), vault.ErrWrongKey},
		{"key file, none there", file("root.key"), file("missing"), vault.ErrNoKey},
		{"key file, a wrapper", file("root.key"), seededRoot(t, 3), vault.ErrWrongKey},
		{"wrapper, another key", seededRoot(t, 3), seededRoot(t, 4), vault.ErrWrongKey},
		{"wrapper, a missing key file", seededRoot(t, 3), file("missing"), vault.ErrWrongKey},
		{"passphrase, another one", pass("six words are much better"), pass("six words are much worse!"), vault.ErrWrongKey},
		{"passphrase, an empty one", pass("six words are much better"), pass(""), vault.ErrNoKey},
		{"wrapper, a passphrase", seededRoot(t, 3), pass("six words are much better"), vault.ErrWrongKey},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			b.root = c.right
			v, _ := b.open()
			mustPut(t, v.Operator("keeper"), bedPath, "value")
			_ = v.Close()
			before := dumpOf(t, b.store)
			for range 2 {
				_, err := vault.Open(context.Background(), vault.Config{Store: &tap{Store: b.store}, Root: c.wrong})
				if !errors.Is(err, c.want) || errors.Is(err, vault.ErrTampered) {
					t.Errorf("Open under the wrong root: %v, want %v", err, c.want)
				}
			}
			if !dumpOf(t, b.store).equal(before) {
				t.Error("the store was changed")
			}
			if _, err := os.Lstat(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a key file was made: %v", err)
			}
			v, _ = b.open()
			wantValue(t, v.Operator("keeper"), bedPath, "value", 1)
		})
	}
}

// deafWrapper hangs and does not heed its context, once it is told to.
type deafWrapper struct {
	wrapping.Wrapper
	hang atomic.Bool
	gate chan struct{}
}

func (w *deafWrapper) Decrypt(ctx context.Context, b *wrapping.BlobInfo, o ...wrapping.Option) ([]byte, error) {
	if w.hang.Load() {
		<-w.gate
	}
	return w.Wrapper.Decrypt(ctx, b, o...)
}

func (w *deafWrapper) Encrypt(ctx context.Context, p []byte, o ...wrapping.Option) (*wrapping.BlobInfo, error) {
	if w.hang.Load() {
		<-w.gate
	}
	return w.Wrapper.Encrypt(ctx, p, o...)
}

func TestTamperHangingKMS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := testWrapper(t, 5)
		w := &deafWrapper{Wrapper: inner, gate: make(chan struct{})}
		b := newBed(t)
		b.root = kms.Wrapper(w)
		v, _ := b.open()
		mustPut(t, v.Operator("keeper"), bedPath, "value")
		_ = v.Close()
		before := dumpOf(t, b.store)
		w.hang.Store(true)
		open := func(s vault.Store) {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()
			start := time.Now()
			_, err := vault.Open(ctx, vault.Config{Store: s, Root: b.root})
			if !errors.Is(err, vault.ErrKMSUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Open with a KMS that hangs: %v", err)
			}
			if took := time.Since(start); took > 3100*time.Millisecond {
				t.Errorf("Open took %s", took)
			}
		}
		open(&tap{Store: b.store})
		if !dumpOf(t, b.store).equal(before) {
			t.Error("the store was changed")
		}
		empty := memory.New()
		open(&tap{Store: empty})
		wantEmpty(t, empty)
		close(w.gate)
		w.hang.Store(false)
		v, _ = b.open()
		wantValue(t, v.Operator("keeper"), bedPath, "value", 1)
		_ = v.Close()
	})
}

func wantEmpty(t *testing.T, s vault.Store) {
	t.Helper()
	if d := dumpOf(t, s); len(d.rows) > 0 || len(d.lines) > 0 {
		t.Errorf("something was left behind: %d rows, %d lines", len(d.rows), len(d.lines))
	}
}

// TestTamperFailedCreate opens an empty store in ways that fail: nothing is left, and then it opens.
func TestTamperFailedCreate(t *testing.T) {
	broken := errors.New("broken")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	cases := map[string]func(*bed, *tap) (context.Context, vault.Config){
		"no root": func(_ *bed, p *tap) (context.Context, vault.Config) {
			return context.Background(), vault.Config{Store: p}
		},
		"ended context": func(b *bed, p *tap) (context.Context, vault.Config) {
			return ended, vault.Config{Store: p, Root: b.root}
		},
		"an issuer that is nil": func(b *bed, p *tap) (context.Context, vault.Config) {
			return context.Background(), vault.Config{Store: p, Root: failingRoot{}, Issuer: func(vault.TokenIssuer) vault.TokenIssuer { return nil }}
		},
		"a root that fails": func(_ *bed, p *tap) (context.Context, vault.Config) {
			return context.Background(), vault.Config{Store: p, Root: failingRoot{}}
		},
		"a short passphrase": func(_ *bed, p *tap) (context.Context, vault.Config) {
			return context.Background(), vault.Config{Store: p, Root: kms.Passphrase(vault.NewSecret("short"))}
		},
		"an Update that fails": func(b *bed, p *tap) (context.Context, vault.Config) {
			p.atUpdate(func(func() error) error { return broken })
			return context.Background(), vault.Config{Store: p, Root: b.root}
		},
		"a bad MaxTTL": func(b *bed, p *tap) (context.Context, vault.Config) {
			return context.Background(), vault.Config{Store: p, Root: b.root, MaxTTL: -1}
		},
	}
	for name, setUp := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			p := &tap{Store: b.store}
			ctx, cfg := setUp(b, p)
			if v, err := vault.Open(ctx, cfg); err == nil || v != nil {
				t.Fatalf("Open gave %v, %v", v, err)
			}
			wantEmpty(t, b.store)
			v, _ := b.open()
			mustPut(t, v.Operator("keeper"), bedPath, "value")
		})
	}
}

type failingRoot struct{}

func (failingRoot) EncryptWithContext(context.Context, []byte, []byte) ([]byte, error) {
	return nil, vault.ErrKMSUnavailable
}

func (failingRoot) DecryptWithContext(context.Context, []byte, []byte) ([]byte, error) {
	return nil, vault.ErrKMSUnavailable
}
