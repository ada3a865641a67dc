// SPDX-License-Identifier: Apache-2.0

package kms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

const (
	patience = time.Second            // of whoever opens a vault
	grace    = 100 * time.Millisecond // for the answer behind it
)

// fault is a key service that misbehaves.
type fault struct {
	name  string
	bend  func(t *testing.T, good wrapping.Wrapper, release <-chan struct{}) wrapping.Wrapper
	want  []error // one of them; nil: it opens
	early bool    // the answer comes at once
}

func decrypts(f func(*wrapping.BlobInfo, []byte) ([]byte, error)) func(*testing.T, wrapping.Wrapper, <-chan struct{}) wrapping.Wrapper {
	return func(_ *testing.T, good wrapping.Wrapper, _ <-chan struct{}) wrapping.Wrapper {
		return fake{Wrapper: good, decrypt: f}
	}
}

func faults() []fault {
	away, tampered, wrong := []error{vault.ErrKMSUnavailable}, []error{vault.ErrTampered}, []error{vault.ErrWrongKey}
	opens := []error{nil}
	after := func(d time.Duration) func(*wrapping.BlobInfo, []byte) ([]byte, error) {
		return func(_ *wrapping.BlobInfo, p []byte) ([]byte, error) { time.Sleep(d); return p, nil }
	}
	return []fault{
		{"well", decrypts(nil), opens, true},
		{"hangs", func(_ *testing.T, good wrapping.Wrapper, release <-chan struct{}) wrapping.Wrapper {
			return fake{Wrapper: good, decrypt: func(*wrapping.BlobInfo, []byte) ([]byte, error) { <-release; return nil, nil }}
		}, away, false},
		{"hangs when asked for its key id", func(_ *testing.T, good wrapping.Wrapper, release <-chan struct{}) wrapping.Wrapper {
			return fake{Wrapper: good, decrypt: func(*wrapping.BlobInfo, []byte) ([]byte, error) { return nil, nil },
				keyID: func() (string, error) { <-release; return "", nil }}
		}, away, false},
		{"late", decrypts(after(10 * patience)), away, false},
		{"slow", decrypts(after(patience / 8)), []error{nil, vault.ErrKMSUnavailable}, false}, // 16 at a time: the last of 64 still in time
		{"fails", decrypts(func(*wrapping.BlobInfo, []byte) ([]byte, error) { return nil, errors.New("503") }), away, true},
		{"fails every second time", func(*testing.T, wrapping.Wrapper, <-chan struct{}) wrapping.Wrapper { return nil }, []error{nil, vault.ErrKMSUnavailable}, true},
		{"panics", decrypts(func(*wrapping.BlobInfo, []byte) ([]byte, error) { panic("boom") }), away, true},
		{"another key", func(t *testing.T, _ wrapping.Wrapper, _ <-chan struct{}) wrapping.Wrapper {
			return aeadWrapper(t, "key-2")
		}, wrong, true},
		{"another key of that name", func(t *testing.T, _ wrapping.Wrapper, _ <-chan struct{}) wrapping.Wrapper {
			return aeadWrapper(t, "key-1")
		}, tampered, true},
		{"nothing", decrypts(func(*wrapping.BlobInfo, []byte) ([]byte, error) { return nil, nil }), tampered, true},
		{"garbage", decrypts(func(_ *wrapping.BlobInfo, p []byte) ([]byte, error) { return bytes.Repeat([]byte{7}, len(p)), nil }), tampered, true},
		{"cut", decrypts(func(_ *wrapping.BlobInfo, p []byte) ([]byte, error) { return p[:rand.IntN(32)], nil }), tampered, true},
		{"oversized", decrypts(func(_ *wrapping.BlobInfo, p []byte) ([]byte, error) { return bytes.Repeat([]byte{7}, 2<<20), nil }), tampered, true},
		{"the ciphertext", decrypts(func(b *wrapping.BlobInfo, _ []byte) ([]byte, error) { return b.Ciphertext, nil }), tampered, true},
		{"a bit of its MAC key flipped", decrypts(func(_ *wrapping.BlobInfo, p []byte) ([]byte, error) {
			p = bytes.Clone(p)
			p[rand.IntN(32)] ^= 1 << rand.IntN(8)
			return p, nil
		}), tampered, true},
	}
}

// TestKeyServiceFaults: whatever a key service does, Open answers in time with the fact that fits, no byte of the store
// changes, nothing is left running, and when the service is well again the vault opens. One caller, and 64 at once. With
// a spare beside it the vault opens in any case.
func TestKeyServiceFaults(t *testing.T) {
	for _, f := range faults() {
		for _, callers := range []int{1, 64} {
			for _, spare := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/spare=%v", f.name, callers, spare), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { tryFault(t, f, callers, spare) })
				})
			}
		}
	}
}

func tryFault(t *testing.T, f fault, callers int, spare bool) {
	good, second := aeadWrapper(t, "key-1"), kms.Wrapper(aeadWrapper(t, "spare"))
	root := func(w wrapping.Wrapper) vault.RootKey {
		if spare {
			return kms.Either(kms.Wrapper(w), second)
		}
		return kms.Wrapper(w)
	}
	store := &kept{memory.New()}
	open := func(ctx context.Context, root vault.RootKey) error {
		v, err := vault.Open(ctx, vault.Config{Store: store, Root: root})
		if err == nil {
			err = v.Close()
		}
		return err
	}
	if err := open(t.Context(), root(good)); err != nil {
		t.Fatal(err)
	}
	before := content(t, store)

	release := make(chan struct{})
	bent := f.bend(t, good, release)
	var calls atomic.Int32
	if bent == nil {
		bent = fake{Wrapper: good, decrypt: func(_ *wrapping.BlobInfo, p []byte) ([]byte, error) {
			if calls.Add(1)%2 == 0 {
				return nil, errors.New("connection reset by peer")
			}
			return p, nil
		}}
	}
	want, shared := f.want, root(bent)
	if spare {
		want = []error{nil}
	}
	var opened atomic.Int32
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			start := time.Now()
			err := open(ctx, shared)
			if took := time.Since(start); took > patience+grace || f.early && took > grace {
				t.Errorf("it took %v", took)
			}
			if !slices.ContainsFunc(want, func(w error) bool { return w == nil && err == nil || w != nil && errors.Is(err, w) }) {
				t.Errorf("%v; want %v", err, want)
			}
			if err == nil {
				opened.Add(1)
			}
		})
	}
	group.Wait()
	if n := int(opened.Load()); calls.Load() > 0 && !spare && n != (callers+1)/2 {
		t.Errorf("%d of %d opened, although every second call fails", n, callers)
	}
	if f.name == "slow" && int(opened.Load()) != callers {
		t.Errorf("%d of %d opened", opened.Load(), callers)
	}
	if after := content(t, store); !bytes.Equal(before, after) {
		t.Error("the store was changed")
	}
	close(release)
	time.Sleep(20 * patience) // of the bubble's clock: what a wrapper left running ends now, or the bubble reports it
	if err := open(t.Context(), root(good)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func content(t *testing.T, store vault.Store) []byte {
	t.Helper()
	rows, err := store.Rows(t.Context(), "", 1000)
	lines, err2 := store.Lines(t.Context(), 0, 1000)
	if err := errors.Join(err, err2); err != nil || len(rows) == 0 || len(lines) == 0 {
		t.Fatalf("%d rows, %d lines, %v", len(rows), len(lines), err)
	}
	return fmt.Appendf(nil, "%v %q", rows, lines)
}
