// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/backend/internal/disk"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// mark is the number of lines that the head file knows of, 0 if none was ever written.
func mark(t *testing.T, s *sqlite.Store) int {
	t.Helper()
	m, err := s.Mark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(string(m))
	return n
}

// copyTo copies files of a store that may be open, by another process: this one would drop its locks.
func copyTo(t *testing.T, path, dir string, suffixes ...string) string {
	t.Helper()
	to := filepath.Join(dir, filepath.Base(path))
	for _, s := range suffixes {
		if out, err := exec.Command("cp", "-p", path+s, to+s).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return to
}

// makeStore makes a closed store with so many lines, the last of which the head file knows.
func makeStore(t *testing.T, lines int) string {
	t.Helper()
	s, path := openNew(t)
	for range lines {
		if err := appendLine(t.Context(), s, "l"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// Every state that a crash in Open can leave opens; every state that takes a deletion or an old file to make does not, and
// is left as it is.
func TestHeadFileStates(t *testing.T) {
	head := func(p string) string { return p + "-head" }
	remove := func(f func(string) string) func(string) error {
		return func(p string) error { return os.Remove(f(p)) }
	}
	db := func(p string) string { return p }
	empty := func(p string) error { return os.Truncate(p, 0) }
	zeros := func(p string) error { return os.WriteFile(head(p), make([]byte, 1024), 0o600) }
	for _, c := range []struct {
		name  string
		lines int // -1: no store at all
		turn  func(path string) error
		want  error
		says  string
	}{
		{"nothing", -1, func(string) error { return nil }, nil, ""},
		{"crash behind the head file", -1, func(p string) error { return disk.CreateHead(head(p)) }, nil, ""},
		{"crash inside the head file", -1, func(p string) error {
			return errors.Join(disk.CreateHead(head(p)), os.Link(head(p), filepath.Join(filepath.Dir(p), ".keyward-1.new")))
		}, nil, ""},
		{"crash before the head file", -1, func(p string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(p), ".keyward-1.new"), nil, 0o600)
		}, nil, ""},
		{"crash inside the database", -1, func(p string) error {
			return errors.Join(disk.CreateHead(head(p)), disk.Create(p, nil), os.Link(p, filepath.Join(filepath.Dir(p), ".keyward-1.new")))
		}, nil, ""},
		{"crash behind the database", 0, empty, nil, ""},
		{"an empty file", -1, func(p string) error { return writeFile(p, 0o600) }, nil, ""},
		{"bare, no head file", 0, remove(head), nil, ""},
		{"as closed", 2, func(string) error { return nil }, nil, ""},

		{"no database", 2, remove(db), vault.ErrRollback, "put the store back"},
		{"an empty database", 2, empty, vault.ErrRollback, "put the store back"},
		{"a bare database", 2, func(p string) error {
			bare := makeStore(t, 0)
			return os.Rename(bare, p)
		}, vault.ErrRollback, "put the store back"},
		{"a head file of zeros, no database", 2, func(p string) error { return errors.Join(zeros(p), os.Remove(p)) }, vault.ErrTampered, "-head"},
		{"a head file of zeros, a bare database", 0, zeros, vault.ErrTampered, "-head"},
		{"a head file with two names", 2, func(p string) error { return os.Link(head(p), p+"2") }, errAny, "second name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "vault.db")
			if c.lines >= 0 {
				path = makeStore(t, c.lines)
			}
			if err := c.turn(path); err != nil {
				t.Fatal(err)
			}
			before := contents(t, filepath.Dir(path))
			for range 2 {
				s, err := sqlite.Open(t.Context(), path)
				if c.want == nil {
					if err != nil {
						t.Fatal(err)
					}
					if err := appendLine(t.Context(), s, "l"); err != nil {
						t.Error(err)
					}
					if n := len(allLines(t, s)); mark(t, s) != n {
						t.Errorf("the head file knows %d lines of %d", mark(t, s), n)
					}
					s.Close()
					continue
				}
				if err == nil {
					s.Close()
					t.Fatal("it was opened")
				}
				if c.want != errAny && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %v that says %q", err, c.want, c.says)
				}
				if after := contents(t, filepath.Dir(path)); after != before {
					t.Errorf("the refused files were changed:\n%s\n%s", before, after)
				}
			}
		})
	}
}

var errAny = errors.New("any error")

// contents are the files of dir but for the lock.
func contents(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "-lock") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(e.Name() + strconv.Quote(string(text)) + "\n")
	}
	return b.String()
}

func commit(s *sqlite.Store, b vault.Batch) error {
	return s.Update(context.Background(), b.First, func([]vault.Row) (vault.Batch, error) { return b, nil })
}

// Without its head file a store that is not empty opens, says so, and commits nothing but the batch that makes it anew.
func TestHeadFileLost(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(head string) error
		want error
		says string
	}{
		"missing": {os.Remove, vault.ErrRollback, "put the head file back"},
		"zeros":   {func(h string) error { return os.WriteFile(h, make([]byte, 1024), 0o600) }, vault.ErrTampered, "-head"},
		"empty":   {func(h string) error { return os.Truncate(h, 0) }, vault.ErrTampered, "-head"},
		"half":    {func(h string) error { return os.Truncate(h, 512) }, vault.ErrTampered, "-head"},
	} {
		t.Run(name, func(t *testing.T) {
			path := makeStore(t, 2)
			if err := c.lose(path + "-head"); err != nil {
				t.Fatal(err)
			}
			before := contents(t, filepath.Dir(path))
			line := vault.Batch{First: 2, Lines: [][]byte{[]byte("{}")}}
			var renewed *sqlite.Store
			for i := range 3 {
				s, err := sqlite.Open(t.Context(), path)
				if err != nil {
					t.Fatal(err)
				}
				refused := func(what string, err error) {
					t.Helper()
					if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
						t.Errorf("%s: %v, want %v that says %q", what, err, c.want, c.says)
					}
				}
				_, err = s.Mark(t.Context())
				refused("Mark", err)
				for _, b := range []vault.Batch{
					{First: line.First, Lines: line.Lines},
					{First: line.First, Lines: line.Lines, Mark: []byte("3")},
					{First: line.First, Lines: line.Lines, Renew: true}, // without a mark
					{Rows: []vault.Row{{Key: "a", Data: []byte("{}")}}, First: 2},
				} {
					refused("Update", commit(s, b))
				}
				if err := commit(s, vault.Batch{Renew: true, Mark: []byte("3")}); err != nil { // commits nothing
					t.Error(err)
				}
				if n := len(allLines(t, s)); n != 2 {
					t.Errorf("%d lines", n)
				}
				if i == 2 {
					renewed = s
					break
				}
				s.Close()
				if after := contents(t, filepath.Dir(path)); after != before {
					t.Errorf("the files were changed:\n%s\n%s", before, after)
				}
			}
			late := openAt(t, path)
			line.Renew, line.Mark = true, []byte("3")
			line.Rows = []vault.Row{{Key: "head", Seq: 2, Data: []byte("3")}}
			if err := commit(renewed, line); err != nil || mark(t, renewed) != 3 {
				t.Errorf("%v, mark %d", err, mark(t, renewed))
			}
			if info, err := os.Lstat(path + "-head"); err != nil || info.Mode() != 0o600 || info.Size() != 1024 {
				t.Errorf("the head file: %v, %v", info, err)
			}
			if err := appendLine(t.Context(), renewed, "l"); err != nil || mark(t, renewed) != 4 {
				t.Errorf("%v, mark %d", err, mark(t, renewed))
			}
			line.First = 4
			if err := commit(late, line); !errors.Is(err, vault.ErrConflict) || mark(t, renewed) != 4 {
				t.Errorf("another handle that had lost it: %v, mark %d", err, mark(t, renewed))
			}
			if s := openAt(t, path); mark(t, s) != 4 {
				t.Errorf("mark %d", mark(t, s))
			}
		})
	}
}

// A head file that was put back lets the store open again.
func TestHeadFilePutBack(t *testing.T) {
	path := makeStore(t, 2)
	aside := copyTo(t, path, t.TempDir(), "-head")
	if err := os.Remove(path + "-head"); err != nil {
		t.Fatal(err)
	}
	lost := openAt(t, path)
	if _, err := lost.Mark(t.Context()); !errors.Is(err, vault.ErrRollback) {
		t.Fatal(err)
	}
	lost.Close()
	copyTo(t, aside, filepath.Dir(path), "-head")
	if s := openAt(t, path); mark(t, s) != 2 {
		t.Errorf("the mark is %d", mark(t, s))
	}
}

// Without SQLite's log after a crash, or with an old database put back alone, the mark is ahead of the log: the vault sees
// it. Where nothing is left at all the store sees it itself.
func TestMarkAheadOfLog(t *testing.T) {
	s, path := openNew(t)
	if err := appendLine(t.Context(), s, "l"); err != nil {
		t.Fatal(err)
	}
	lost := copyTo(t, path, t.TempDir(), "", "-head") // the schema too was in the log
	if _, err := sqlite.Open(t.Context(), lost); !errors.Is(err, vault.ErrRollback) {
		t.Errorf("all that was committed is gone: %v", err)
	}
	s.Close()

	s = openAt(t, path)
	for range 3 {
		if err := appendLine(t.Context(), s, "l"); err != nil {
			t.Fatal(err)
		}
	}
	whole := openAt(t, copyTo(t, path, t.TempDir(), "", "-wal", "-head"))
	cut := openAt(t, copyTo(t, path, t.TempDir(), "", "-head"))
	old := copyTo(t, path, t.TempDir(), "")
	s.Close()
	copyTo(t, path, filepath.Dir(old), "-head")
	back := openAt(t, old)
	for name, c := range map[string]struct {
		s           *sqlite.Store
		lines, mark int
	}{"whole": {whole, 4, 4}, "no -wal": {cut, 1, 4}, "old database": {back, 1, 4}} {
		if n, m := len(allLines(t, c.s)), mark(t, c.s); n != c.lines || m != c.mark {
			t.Errorf("%s: %d lines, mark %d; want %d, %d", name, n, m, c.lines, c.mark)
		}
	}
}

// A commit whose mark cannot be written stands, and the error leaves that open. The next one goes on; but behind the first of
// all there is none, until the store is opened anew.
func TestMarkNotWritten(t *testing.T) {
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		for before := range 3 {
			broken := false
			path := filepath.Join(t.TempDir(), "vault.db")
			s, err := sqlite.OpenFaulty(t.Context(), path, func(step string) error {
				if broken && step == "write head" {
					return cause
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for range before {
				if err := appendLine(t.Context(), s, "l"); err != nil {
					t.Fatal(err)
				}
			}
			broken = true
			if err := appendLine(t.Context(), s, "l"); err == nil || errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "committed") {
				t.Errorf("%v: Update says %v", cause, err)
			}
			if n, m := len(allLines(t, s)), mark(t, s); n != before+1 || m != before {
				t.Errorf("%v: %d lines, mark %d; want %d, %d", cause, n, m, before+1, before)
			}
			broken = false
			next := commit(s, vault.Batch{First: int64(before) + 1, Lines: [][]byte{[]byte("l")}}) // without a mark
			if (next != nil) != (before == 0) || next != nil && !strings.Contains(next.Error(), "open it again") {
				t.Errorf("%v behind %d marks, and then: %v", cause, before, next)
			}
			s.Close()
			s = openAt(t, path)
			line := vault.Batch{First: int64(len(allLines(t, s))), Lines: [][]byte{[]byte("l")}, Mark: []byte("9")}
			if err := commit(s, line); err != nil || mark(t, s) != 9 {
				t.Errorf("%v, opened anew: %v, mark %d", cause, err, mark(t, s))
			}
			s.Close()
		}
	}
}

// A first mark that cannot be synced ends the store: no later commit passes, without a mark either.
func TestFirstMarkNotSynced(t *testing.T) {
	s, path := openNew(t)
	if err := errors.Join(appendLine(t.Context(), s, "l"), os.Rename(path+"-head", path+"-away")); err != nil {
		t.Fatal(err)
	}
	if err := appendLine(t.Context(), s, "l"); err == nil || !strings.Contains(err.Error(), "sync of the head file") {
		t.Errorf("beside a head file that is gone: %v", err)
	}
	if err := os.Rename(path+"-away", path+"-head"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := commit(s, vault.Batch{First: 1, Lines: [][]byte{[]byte("l")}})
		if err == nil || !strings.Contains(err.Error(), "close the store and open it again") {
			t.Errorf("and then: %v", err)
		}
	}
	if n := len(allLines(t, s)); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
	if s.Close() == nil {
		t.Error("Close does not tell of it")
	}
}

// A head file that can no longer be written to is found before anything is committed.
func TestHeadFileChanged(t *testing.T) {
	for name, change := range map[string]func(string) error{
		"zeros":   func(p string) error { return os.WriteFile(p, make([]byte, 1024), 0o600) },
		"emptied": func(p string) error { return os.Truncate(p, 0) },
	} {
		s, path := openNew(t)
		if err := errors.Join(appendLine(t.Context(), s, "l"), change(path+"-head")); err != nil {
			t.Fatal(err)
		}
		if err := appendLine(t.Context(), s, "l"); !errors.Is(err, vault.ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(allLines(t, s)); n != 1 {
			t.Errorf("%s: %d lines, want 1", name, n)
		}
	}
}

// The first Update that comes a second after a mark syncs it, before anything else. If that fails the store refuses all.
func TestHeadFileSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var steps []string
		var broken error
		path := filepath.Join(t.TempDir(), "vault.db")
		s, err := sqlite.OpenFaulty(t.Context(), path, func(step string) error {
			steps = append(steps, step)
			if step == "sync head" {
				return broken
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			after time.Duration
			sync  bool
		}{{time.Hour, false}, {0, false}, {time.Second - 1, false}, {1, true}, {time.Second - 1, false}, {1, true}, {time.Hour, true}} {
			time.Sleep(c.after)
			steps = nil
			if err := appendLine(t.Context(), s, "l"); err != nil {
				t.Fatal(err)
			}
			if synced := steps[0] == "sync head"; synced != c.sync {
				t.Errorf("after %v: %q", c.after, steps)
			}
		}
		broken = syscall.ENOSPC // of a sync: it does not pass
		time.Sleep(time.Second)
		for range 2 {
			if err := appendLine(t.Context(), s, "l"); err == nil || errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "close the store") {
				t.Errorf("after a failed sync: %v", err)
			}
			broken = nil
		}
		if n := len(allLines(t, s)); n != 7 {
			t.Errorf("%d lines, want 7", n)
		}
		s.Close()
		s, err = sqlite.Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(appendLine(t.Context(), s, "l"), s.Close()); err != nil {
			t.Error(err)
		}
	})
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
