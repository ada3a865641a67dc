// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package file_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/backend/internal/childtest"
	"github.com/keyward-go/keyward/vault"
)

// childtest.Main calls them with the store of the test.
var childTasks = map[string]func(*file.Store) error{"hold": childHold, "acknowledge": childAcknowledge, "limit": childLimit}

func TestMain(m *testing.M) {
	tasks := make(map[string]func(string) error)
	for name, task := range childTasks {
		tasks[name] = func(path string) error {
			s, err := file.Open(context.Background(), path)
			if err != nil {
				return err
			}
			return errors.Join(task(s), s.Close())
		}
	}
	childtest.Main(m, tasks)
}

// next commits a line, with a head row as every commit of a vault has one.
func next(s vault.Store, n int64, line string) error {
	return update(s, vault.Batch{First: n, Lines: [][]byte{[]byte(line)}, Mark: []byte(line)[:min(len(line), 440)],
		Rows: []vault.Row{{Key: "head", Seq: n, Data: fmt.Appendf(nil, `{"size":%d}`, n+1)}}})
}

func size(t testing.TB, s vault.Store) (n int64) {
	t.Helper()
	for {
		lines, err := s.Lines(t.Context(), n, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if n += int64(len(lines)); len(lines) < 1000 {
			return n
		}
	}
}

func childHold(s *file.Store) error {
	fmt.Println("held")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// childAcknowledge prints each line of which Update said that it is durable, until it is killed. Some commits compact.
func childAcknowledge(s *file.Store) error {
	rows, err := s.Rows(context.Background(), "head", 1)
	if err != nil {
		return err
	}
	var n int64
	for _, r := range rows {
		n = r.Seq + 1
	}
	var mu sync.Mutex
	for range 2 {
		go func() {
			for {
				mu.Lock()
				line := fmt.Sprintf(`{"n":%d,"pad":"%s"}`, n, strings.Repeat("p", int(n%977)))
				if n%5 == 0 {
					s.Compact()
				}
				if err := next(s, n, line); err != nil {
					fmt.Println("error:", err)
					os.Exit(1)
				}
				fmt.Println(n)
				n++
				mu.Unlock()
			}
		}()
	}
	select {}
}

// Killed at any moment, the store has every line that was acknowledged, in order, at most one more, and the mark of the
// last or the one before.
func TestKill(t *testing.T) {
	path := newPath(t)
	openAt(t, path).Close()
	var acknowledged int64 = -1
	for round := range 20 {
		c := childtest.Start(t, "acknowledge", path)
		for range 1 + 3*round {
			fmt.Sscan(c.Line(t), &acknowledged)
		}
		for _, line := range c.Kill() {
			fmt.Sscan(line, &acknowledged)
		}
		s := openAt(t, path)
		n := size(t, s)
		if n != acknowledged+1 && n != acknowledged+2 {
			t.Fatalf("%d lines, acknowledged up to %d", n, acknowledged)
		}
		lines, err := s.Lines(t.Context(), 0, int(n))
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range lines {
			if !strings.HasPrefix(string(l), fmt.Sprintf(`{"n":%d,`, i)) {
				t.Fatalf("line %d is %.40s", i, l)
			}
		}
		mark, err := s.Mark(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var marked int64
		fmt.Sscanf(string(mark), `{"n":%d`, &marked)
		if marked < acknowledged || marked >= n {
			t.Fatalf("the mark is that of line %d, acknowledged up to %d, of %d", marked, acknowledged, n)
		}
		s.Close()
		acknowledged = n - 1
	}
}

// childLimit runs into the limit on the size of a file, and prints how many lines it was promised, and whether it went on
// after Keep and Scrub had made room.
func childLimit(s *file.Store) error {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 256 << 10, Max: old.Max}); err != nil {
		return err
	}
	for n := int64(0); n < 10_000; n++ {
		err := next(s, n, strings.Repeat("l", 3000))
		if errors.Is(err, syscall.ENOSPC) {
			if err := next(s, n, "short"); err != nil {
				return fmt.Errorf("a short commit after ENOSPC: %w", err)
			}
			b := vault.Batch{First: n + 1, Lines: [][]byte{[]byte("{}")}, Keep: n, Scrub: true}
			if err := update(s, b); err != nil {
				return fmt.Errorf("a commit that makes room: %w", err)
			}
			fmt.Println(n+2, next(s, n+2, strings.Repeat("l", 3000)))
			return nil
		}
		if err != nil {
			return err
		}
	}
	return errors.New("no limit was met")
}

// A write that is cut short by a real limit is taken back: it is ENOSPC, and the store goes on.
func TestFull(t *testing.T) {
	path := newPath(t)
	c := childtest.Start(t, "limit", path)
	var n int64
	var end string
	line := c.Line(t)
	if _, err := fmt.Sscan(line, &n, &end); err != nil || end != "<nil>" {
		t.Fatalf("the child says %q: %v", line, err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path)
	lines, err := s.Lines(t.Context(), n-2, 10)
	if err != nil || len(lines) != 3 || string(lines[0]) != "short" || strings.Contains(read(t, path), "dropped") {
		t.Errorf("%d lines of %d, %v", len(lines), n, err)
	}
}

// What Update has acknowledged is in the files before Close.
func TestDurableOnReturn(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path)
	commit(t, s, documented...)
	commit(t, s, vault.Batch{First: 2, Lines: [][]byte{[]byte("{}")}, Mark: []byte("newest")})
	copied := openAt(t, copyFolder(t, strings.TrimSuffix(path, "/vault.journal"))+"/vault.journal")
	if got, want := state(t, copied), state(t, s); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if m, err := copied.Mark(t.Context()); err != nil || string(m) != "newest" {
		t.Errorf("mark %q, %v", m, err)
	}
}
