// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/keyward-go/keyward/backend/sqlite"
)

// A full disk is ENOSPC, changes nothing, and passes.
func TestFull(t *testing.T) {
	s, _ := openNew(t)
	if err := s.LimitPages(40); err != nil {
		t.Fatal(err)
	}
	var n int
	var err error
	for err == nil {
		if err = appendLine(t.Context(), s, strings.Repeat("l", 3000)); err == nil {
			n++
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("on a full disk: %v", err)
	}
	if got := len(allLines(t, s)); got != n {
		t.Errorf("%d lines after ENOSPC, want %d", got, n)
	}
	if err := s.LimitPages(1 << 20); err != nil {
		t.Fatal(err)
	}
	if err := appendLine(t.Context(), s, "l"); err != nil {
		t.Errorf("once there is room: %v", err)
	}
}

// Where SQLite cannot extend its shared memory the disk is full, and nothing has changed: but in a commit.
func TestSharedMemoryFull(t *testing.T) {
	for step, passes := range map[string]bool{"begin": true, "lines": true, "rows": true, "commit": false} {
		broken := false
		s, err := sqlite.OpenFaulty(t.Context(), filepath.Join(t.TempDir(), "vault.db"), func(at string) error {
			if broken && at == step {
				return sqliteError(4874) // SQLITE_IOERR_SHMSIZE
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		broken = true
		err = appendLine(t.Context(), s, "l")
		if err == nil || errors.Is(err, syscall.ENOSPC) != passes || strings.Contains(err.Error(), "rollback") {
			t.Errorf("%s: %v", step, err)
		}
		if n := len(allLines(t, s)); n != 0 {
			t.Errorf("%s: %d lines", step, n)
		}
		broken = false
		if err := appendLine(t.Context(), s, "l"); (err == nil) != passes {
			t.Errorf("%s: once there is room: %v", step, err)
		}
	}
}
