// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/keyward-go/keyward/vault"
)

func twoLocks(t *testing.T) (a, b *Lock) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lock")
	for _, l := range []**Lock{&a, &b} {
		var err error
		if *l, err = OpenLock(path); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*l).Close() })
	}
	return a, b
}

func wantTry(t *testing.T, l *Lock, want bool) {
	t.Helper()
	if got, err := l.TryLock(); err != nil || got != want {
		t.Fatalf("TryLock: %v, %v; want %v", got, err, want)
	}
}

func TestTryLock(t *testing.T) {
	a, b := twoLocks(t)
	wantTry(t, a, true)
	wantTry(t, b, false)
	a.Unlock()
	wantTry(t, b, true)
	if err := b.Close(); err != nil { // gives it back
		t.Fatal(err)
	}
	wantTry(t, a, true)
}

// Each end of a wait has its error; what a waiter does not want any more goes to the next.
func TestLockEnds(t *testing.T) {
	a, b := twoLocks(t)
	never, past := make(chan struct{}), make(chan struct{})
	close(past)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	fired := make(chan time.Time, 1)
	fired <- time.Time{}

	if err := a.Lock(t.Context(), nil, never); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err, want error
	}{
		{b.Lock(ended, nil, never), context.Canceled},
		{b.Lock(t.Context(), fired, never), vault.ErrBusy},
		{b.Lock(t.Context(), nil, past), vault.ErrClosed},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%v, want %v", c.err, c.want)
		}
	}
	wantTry(t, b, false) // its helper waits, for nobody

	// The helper's lock goes to whoever wants it when it comes. If it comes too early for that, it is free.
	got := make(chan error)
	go func() { got <- b.Lock(t.Context(), nil, never) }()
	a.Unlock()
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	wantTry(t, a, false)
	b.Unlock()
	if err := a.Lock(t.Context(), nil, never); err != nil {
		t.Fatal(err)
	}

	// Nobody wants it: the helper gives it back by itself.
	if err := b.Lock(ended, nil, never); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	a.Unlock()
	for waits := true; waits; runtime.Gosched() {
		b.mu.Lock()
		waits = b.wait != nil
		b.mu.Unlock()
	}
	wantTry(t, a, true)
}

// One helper serves all who come and go.
func TestLockHelpers(t *testing.T) {
	a, b := twoLocks(t)
	wantTry(t, a, true)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var first *lockWait
	for range 100 {
		if err := b.Lock(ended, nil, nil); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		b.mu.Lock()
		if first == nil {
			first = b.wait
		}
		if b.wait == nil || b.wait != first {
			t.Fatal("another helper was started")
		}
		b.mu.Unlock()
	}
}

func TestLockFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLock(path); err == nil {
		t.Error("a lock file of others was taken")
	}
}

// A lock file that was removed or replaced is no lock any more.
func TestLockCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault-lock")
	l, err := OpenLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Check(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if l.Check() == nil {
		t.Error("the lock file is gone")
	}
	other, err := OpenLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if l.Check() == nil || other.Check() != nil {
		t.Error("the lock file is another")
	}
}
