// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/backend/internal/disk"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// change runs statements on a closed store, as a foreign tool would.
func change(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// A file that is not a vault of this format is refused, and not changed.
func TestForeignDatabase(t *testing.T) {
	for _, c := range []struct {
		name   string
		change []string
		is     error
	}{
		{"another application", []string{"PRAGMA application_id=1"}, vault.ErrTampered},
		{"no application", []string{"PRAGMA application_id=0", "PRAGMA user_version=0"}, vault.ErrTampered},
		{"newer format", []string{"PRAGMA user_version=2"}, errors.ErrUnsupported},
		{"older format", []string{"PRAGMA user_version=0"}, vault.ErrTampered},
		{"table dropped", []string{"DROP TABLE log"}, vault.ErrTampered},
		{"index added", []string{"CREATE INDEX i ON log (line)"}, vault.ErrTampered},
		{"trigger added", []string{"CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM rows; END"}, vault.ErrTampered},
		{"view of a user added", []string{"CREATE VIEW mine AS SELECT * FROM audit"}, nil},
		{"rollback journal", []string{"PRAGMA journal_mode=delete"}, vault.ErrTampered},
	} {
		s, path := openNew(t)
		s.Close()
		change(t, path, c.change...)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err = sqlite.Open(t.Context(), path)
		if err == nil {
			s.Close()
		}
		if c.is == errAny && err == nil || c.is != errAny && !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %v", c.name, err, c.is)
		}
		if after, _ := os.ReadFile(path); err != nil && !bytes.Equal(before, after) {
			t.Errorf("%s: the refused file was changed", c.name)
		}
	}
}

func TestGarbage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("garbage "), 1024), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), path); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("garbage: %v", err)
	}
}

// A file that lacks pages is an error, or the log is shorter than it was; nothing hangs or panics, and no line is another.
// Within a page SQLite reads zeros for what is cut: that the tree hash of the log finds.
func TestTruncated(t *testing.T) {
	s, path := openNew(t)
	line := func(i int) string { return fmt.Sprint(i, strings.Repeat("l", 2000)) }
	for i := range 40 {
		if err := appendLine(t.Context(), s, line(i)); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for cut := 1024; cut < len(whole); cut += 4096 / 4 {
		path := filepath.Join(t.TempDir(), "vault.db")
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := disk.CreateHead(path + "-head"); err != nil {
			t.Fatal(err)
		}
		s, err := sqlite.Open(t.Context(), path)
		var got [][]byte
		if err == nil {
			got, err = s.Lines(t.Context(), 0, 1000)
			s.Close()
		}
		if err != nil {
			refused++
		}
		if err != nil && !errors.Is(err, vault.ErrTampered) {
			t.Errorf("cut at %d: %v", cut, err)
		}
		for i, l := range got {
			if cut%4096 == 0 && string(l) != line(i) {
				t.Errorf("cut at %d: line %d is another", cut, i)
			}
		}
	}
	if refused == 0 {
		t.Error("no cut was noticed")
	}
}

// A line that was deleted by hand is an error, not a shorter log.
func TestMissingLine(t *testing.T) {
	s, path := openNew(t)
	for range 5 {
		if err := appendLine(t.Context(), s, "l"); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	change(t, path, "DELETE FROM log WHERE seq = 2")
	if _, err := openAt(t, path).Lines(t.Context(), 0, 10); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("a missing line: %v", err)
	}
}

// Whatever bit of the first page is flipped, which says what kind of file it is and has the schema: the store opens, or says
// by name why not.
func TestFlippedFirstPage(t *testing.T) {
	s, path := openNew(t)
	if err := appendLine(t.Context(), s, "l"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, err := os.ReadFile(path + "-head")
	if err != nil {
		t.Fatal(err)
	}
	every := 61 // bits; an odd number, so that each of the eight has its turn
	if os.Getenv("KEYWARD_SLOW") == "1" {
		every = 1
	}
	flipped := filepath.Join(t.TempDir(), "vault.db")
	for bit := 0; bit < 8*4096; bit += every {
		b := bytes.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		if err := errors.Join(os.WriteFile(flipped, b, 0o600), os.WriteFile(flipped+"-head", head, 0o600)); err != nil {
			t.Fatal(err)
		}
		s, err := sqlite.Open(t.Context(), flipped)
		if err == nil {
			_, err = s.Lines(t.Context(), 0, 10)
			s.Close()
		}
		if err != nil && !errors.Is(err, vault.ErrTampered) && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("bit %d of byte %d: %v", bit%8, bit/8, err)
		}
		for _, end := range []string{"-wal", "-shm"} {
			os.Remove(flipped + end)
		}
	}
}
