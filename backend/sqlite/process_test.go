// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

func openNew(t *testing.T) (*sqlite.Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault.db")
	return openAt(t, path), path
}

func openAt(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func allLines(t *testing.T, s *sqlite.Store) []string {
	t.Helper()
	raw, err := s.Lines(t.Context(), 0, math.MaxInt)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, l := range raw {
		lines = append(lines, string(l))
	}
	return lines
}

// Processes that open one new file at once all get the same vault, and no line of theirs is lost or out of order.
func TestProcessesLoseNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	var children []*child
	for range 4 {
		children = append(children, startChild(t, "count", path))
	}
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	next := map[int]int{}
	lines := allLines(t, openAt(t, path))
	for _, l := range lines {
		var pid, i int
		fmt.Sscan(l, &pid, &i)
		if next[pid] != i {
			t.Fatalf("process %d: line %d follows %d", pid, i, next[pid]-1)
		}
		next[pid]++
	}
	if len(lines) != 4*countTo {
		t.Errorf("%d lines, want %d", len(lines), 4*countTo)
	}
}

// Two busy processes of 8 callers each share the store.
func TestProcessesShare(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	var children [2]*child
	for i := range children {
		children[i] = startChild(t, "busy", path)
		children[i].line(t)
	}
	for _, c := range children {
		fmt.Fprintln(c.in, "go")
	}
	var n, wait [2]int
	for i, c := range children {
		fmt.Sscan(c.line(t), &n[i], &wait[i])
	}
	t.Logf("commits %v, longest waits %v µs", n, wait)
	if min(n[0], n[1])*4 < max(n[0], n[1]) {
		t.Errorf("one process had %d commits while the other had %d: the lock is not fair", n[0], n[1])
	}
}

// A process that is stopped while it holds the lock hangs nobody, and nothing is left when it goes on.
func TestStoppedHolder(t *testing.T) {
	s, path := openNew(t)
	c := startChild(t, "hold", path)
	c.line(t)
	c.Process.Signal(syscall.SIGSTOP)
	before := runtime.NumGoroutine()
	for i := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := appendLine(ctx, s, "l"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Update %d beside a stopped holder: %v", i, err)
		}
		cancel()
	}
	if n := runtime.NumGoroutine(); n > before+1 {
		t.Errorf("%d goroutines wait for the lock, want 1", n-before)
	}
	if _, err := s.Lines(t.Context(), 0, 1); err != nil {
		t.Errorf("a reader beside a stopped holder: %v", err)
	}
	c.Process.Signal(syscall.SIGCONT)
	c.in.Close()
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	quiet(t, before)
	other := openAt(t, path) // the helper that nobody wanted gave the lock back
	for _, s := range []*sqlite.Store{other, s} {
		if err := appendLine(t.Context(), s, "l"); err != nil {
			t.Errorf("Update after the holder went on: %v", err)
		}
	}
}

// Close does not wait for a stopped process; the one goroutine that does ends with it.
func TestCloseBesideStoppedHolder(t *testing.T) {
	s, path := openNew(t)
	c := startChild(t, "hold", path)
	c.line(t)
	before := runtime.NumGoroutine()
	waiter := make(chan error, 1)
	go func() { waiter <- appendLine(context.Background(), s, "l") }()
	time.Sleep(20 * time.Millisecond)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-waiter; !errors.Is(err, vault.ErrClosed) {
		t.Errorf("an Update that waited: %v", err)
	}
	c.Process.Kill()
	c.Wait()
	quiet(t, before)
	if err := appendLine(t.Context(), openAt(t, path), "l"); err != nil {
		t.Errorf("after the holder was killed: %v", err)
	}
}

// quiet waits until there are no more than n goroutines.
func quiet(t *testing.T, n int) {
	t.Helper()
	for range 1000 {
		if runtime.NumGoroutine() <= n {
			return
		}
		time.Sleep(time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	t.Errorf("goroutines are left:\n%s", buf[:runtime.Stack(buf, true)])
}

// What Update acknowledged is there after kill -9.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	acknowledged := map[string]bool{}
	for round := range 20 {
		c := startChild(t, "acknowledge", path)
		for range 1 + round*7 {
			acknowledged[c.line(t)] = true
		}
		c.Process.Kill()
		for {
			l, err := c.out.ReadString('\n')
			if err != nil {
				break // a torn line was acknowledged to nobody
			}
			acknowledged[strings.TrimSpace(l)] = true
		}
		c.Wait()
	}
	there := map[string]bool{}
	lines := allLines(t, openAt(t, path))
	for _, l := range lines {
		there[l] = true
	}
	if n := mark(t, openAt(t, path)); n != len(lines) && n != len(lines)-1 {
		t.Errorf("the head file knows %d lines of %d: at most the last commit may be unknown to it", n, len(lines))
	}
	for l := range acknowledged {
		if !there[l] {
			t.Errorf("line %q was acknowledged and is lost", l)
		}
	}
	t.Logf("%d acknowledged, %d stored", len(acknowledged), len(lines))
}

// A write that the system refuses leaves what was acknowledged, and nothing else.
func TestFileSizeLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	c := startChild(t, "limit", path)
	var n int
	said := c.line(t)
	fmt.Sscan(said, &n)
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path)
	if got := len(allLines(t, s)); got != n {
		t.Errorf("%d lines, %d were acknowledged (%s)", got, n, said)
	}
	if err := appendLine(t.Context(), s, "l"); err != nil {
		t.Errorf("once there is room again: %v", err)
	}
}
