// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/keyward-go/keyward/backend/sqlite"
)

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

// A database that cannot be made says why, and nothing else.
func TestMakeLocked(t *testing.T) {
	s, _ := openNew(t)
	if err := s.MakeLocked(); err == nil || !strings.Contains(err.Error(), "locked") || strings.Contains(err.Error(), "rollback") {
		t.Errorf("making it says %v", err)
	}
	if err := appendLine(t.Context(), s, "l"); err != nil {
		t.Error(err)
	}
}

// Close syncs a mark that is not synced, and reports it if that fails. A sync looks at the name too.
func TestCloseSyncsHead(t *testing.T) {
	for _, moved := range []bool{false, true} {
		s, path := openNew(t)
		for range 3 { // the first mark was synced by the second commit
			if err := appendLine(t.Context(), s, "l"); err != nil {
				t.Fatal(err)
			}
		}
		if moved {
			if err := os.Rename(path+"-head", path+"-away"); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); moved != (err != nil && strings.Contains(err.Error(), path+"-head")) || !moved && err != nil {
			t.Errorf("head file moved %v: Close says %v", moved, err)
		}
	}
}
