// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// A database with two names would have two logs and two locks.
func TestSecondName(t *testing.T) {
	s, path := openNew(t)
	if err := errors.Join(appendLine(t.Context(), s, "l"), s.Close(), os.Link(path, path+"2")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "2"} {
		if s, err := sqlite.Open(t.Context(), name); err == nil {
			s.Close()
			t.Errorf("%s was opened", name)
		} else if !strings.Contains(err.Error(), name+" has a second name") || !strings.Contains(err.Error(), "remove") {
			t.Errorf("the error %q does not say what is wrong", err)
		}
	}
	if err := os.Remove(path + "2"); err != nil {
		t.Fatal(err)
	}
	if n := len(allLines(t, openAt(t, path))); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
}

// What happens to the name of an open database makes every later Update fail.
func TestFileMoved(t *testing.T) {
	for name, move := range map[string]func(path string) error{
		"linked":  func(p string) error { return os.Link(p, p+"2") },
		"removed": os.Remove,
		"renamed": func(p string) error { return os.Rename(p, p+"2") },
		"replaced": func(p string) error {
			return errors.Join(writeFile(p+"2", 0o600), os.Rename(p+"2", p))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, path := openNew(t)
			if err := errors.Join(appendLine(t.Context(), s, "l"), move(path)); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := appendLine(t.Context(), s, "lost"); !errors.Is(err, vault.ErrTampered) || !strings.Contains(err.Error(), filepath.Base(path)) {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
}
