// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/keyward-go/keyward/backend/sqlite"
)

// Whatever the umask, every file is 0600 from the first instant and nothing else is left in the folder.
func TestModes(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o277} {
		dir := t.TempDir()
		old := syscall.Umask(umask)
		s := openAt(t, filepath.Join(dir, "vault.db"))
		err := appendLine(t.Context(), s, "l")
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		if got := modes(t, dir); got != "vault.db vault.db-head vault.db-lock vault.db-shm vault.db-wal" {
			t.Errorf("umask %03o: files %s", umask, got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := modes(t, dir); got != "vault.db vault.db-head vault.db-lock" {
			t.Errorf("files after the last Close: %s: a connection is still open", got)
		}
	}
}

// modes checks that all files of dir are 0600 and answers their names.
func modes(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// What another user could read, change or have put there is refused, and the error names the file and the fix.
func TestRefusedFiles(t *testing.T) {
	for _, side := range []string{"", "-wal", "-shm", "-journal", "-head", "-lock"} {
		for _, c := range []struct {
			name, says string
			make       func(path string) error
		}{
			{"group can read", "chmod 600", func(p string) error { return writeFile(p, 0o640) }},
			{"others can write", "chmod 600", func(p string) error { return writeFile(p, 0o602) }},
			{"symbolic link", "symbolic link", func(p string) error {
				if err := writeFile(p+".target", 0o600); err != nil {
					return err
				}
				return os.Symlink(p+".target", p)
			}},
			{"dangling link", "symbolic link", func(p string) error { return os.Symlink(p+".nowhere", p) }},
			{"folder", "not a regular file", func(p string) error { return os.Mkdir(p, 0o700) }},
			{"pipe", "not a regular file", func(p string) error { return syscall.Mkfifo(p, 0o600) }},
		} {
			path := filepath.Join(t.TempDir(), "vault.db")
			if err := c.make(path + side); err != nil {
				t.Fatal(err)
			}
			s, err := sqlite.Open(t.Context(), path)
			if err == nil {
				s.Close()
				t.Errorf("%s as %q was taken", c.name, side)
			} else if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path+side) {
				t.Errorf("%s as %q: the error %q names neither the path nor the fix", c.name, side, err)
			}
		}
	}
}

func TestForeignOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	path := filepath.Join(t.TempDir(), "vault.db")
	if err := writeFile(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Skip(err)
	}
	if _, err := sqlite.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("a file of another user: %v", err)
	}
}

func TestRefusedFolders(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		filepath.Join(t.TempDir(), "no", "vault.db"): "mkdir",
		filepath.Join(open, "vault.db"):              "chmod o-w",
		"/dev/null/vault.db":                         "not a",
		"":                                           "no path",
	} {
		if _, err := sqlite.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", path, err)
		}
	}
	if err := os.Chmod(open, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	openAt(t, filepath.Join(open, "vault.db"))
}

// A path is a path, whatever SQLite would read into it.
func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a?mode=memory", "a%41", "a#b", "a b", "a'b", "file:x", ":memory:", "ä", "a&b=c;d", "%"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		s := openAt(t, path)
		if err := appendLine(t.Context(), s, "l"); err != nil {
			t.Fatal(err)
		}
		if got := modes(t, dir); !strings.HasPrefix(got, name+" "+name+"-head "+name+"-lock ") {
			t.Errorf("%q: made %s", name, got)
		}
		s.Close()
		if n := len(allLines(t, openAt(t, path))); n != 1 {
			t.Errorf("%q: %d lines after a reopen", name, n)
		}
	}
	t.Chdir(t.TempDir())
	s := openAt(t, "relative.db")
	t.Chdir(t.TempDir()) // the readers are opened later
	if n := len(allLines(t, s)); n != 0 {
		t.Errorf("%d lines in a new store", n)
	}
}

// Handles of one process that open one new file at once get the same vault.
func TestOpenTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	errs := make(chan error)
	for range 8 {
		go func() {
			s, err := sqlite.Open(context.Background(), path)
			if err == nil {
				err = appendLine(context.Background(), s, "l")
				s.Close()
			}
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := len(allLines(t, openAt(t, path))); n != 8 {
		t.Errorf("%d lines, want 8", n)
	}
}

// This package opens no file but through SQLite and package disk: closing a descriptor of a live database drops the locks
// of the process.
func TestOpensNoFiles(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range []string{"os.Open", "os.Create", "os.ReadFile", "os.WriteFile", "os.Rename", "disk.Open(", "os/exec", "ioutil", "syscall.Open"} {
			if bytes.Contains(text, []byte(call)) {
				t.Errorf("%s calls %s", name, call)
			}
		}
	}
}

func writeFile(path string, mode fs.FileMode) error {
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	return os.Chmod(path, mode)
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
