// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package disk

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/keyward-go/keyward/vault"
)

// Somebody puts a mark of ours under the last counters there are. The marks that follow may be refused before their
// commits; they are never taken and lost.
func TestLastCounters(t *testing.T) {
	for left := range uint64(4) {
		path := filepath.Join(t.TempDir(), "vault-head")
		content := append(slotBytes(math.MaxUint64-1-left, 3, "old"), make([]byte, slotSize)...)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := OpenHead(path)
		newest := "old"
		for i := 0; err == nil; i++ {
			if i > int(left) {
				t.Fatalf("%d before the end, mark %d was taken", left, i)
			}
			if err = h.Check(); err != nil {
				break
			}
			newest = string(rune('a' + i))
			if err := h.Write([]byte(newest)); err != nil {
				t.Fatal(err)
			}
			wantMark(t, h, newest)
		}
		if !errors.Is(err, vault.ErrTampered) {
			t.Errorf("%d before the end: %v", left, err)
		}
	}
}

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
