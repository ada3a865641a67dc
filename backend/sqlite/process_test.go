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
	"testing"
	"time"

	"github.com/keyward-go/keyward/backend/internal/childtest"
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
	var children []*childtest.Child
	for range 4 {
		children = append(children, childtest.Start(t, "count", path))
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

// Two busy processes of 8 callers each share the store: no call of either waits in vain. How many each has had is for
// BenchmarkProcesses, since a machine that is busy otherwise may favour one; that the lock is fair is for backendtest.
func TestProcessesShare(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	var children [2]*childtest.Child
	for i := range children {
		children[i] = childtest.Start(t, "busy", path)
		children[i].Line(t)
	}
	for _, c := range children {
		fmt.Fprintln(c.In, "go")
	}
	var n, wait [2]int
	for i, c := range children {
		fmt.Sscan(c.Line(t), &n[i], &wait[i])
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("commits %v, longest waits %v µs", n, wait)
	if got := len(allLines(t, openAt(t, path))); min(n[0], n[1]) < 8 || got != n[0]+n[1] {
		t.Errorf("%d lines; the processes had %d commits", got, n)
	}
}

// A process that is stopped while it holds the lock hangs nobody, and nothing is left when it goes on.
func TestStoppedHolder(t *testing.T) {
	s, path := openNew(t)
	c := childtest.Start(t, "hold", path)
	c.Line(t)
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for i := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := appendLine(ctx, s, "l"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Update %d beside a stopped holder: %v", i, err)
		}
		cancel()
	}
	quiet(t, before+1) // one waits for the lock
	if _, err := s.Lines(t.Context(), 0, 1); err != nil {
		t.Errorf("a reader beside a stopped holder: %v", err)
	}
	if err := errors.Join(c.Continue(), c.In.Close(), c.Wait()); err != nil {
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
	c := childtest.Start(t, "hold", path)
	c.Line(t)
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	waiter := make(chan error, 1)
	go func() { waiter <- appendLine(context.Background(), s, "l") }()
	poll(func() bool { return runtime.NumGoroutine() >= before+2 }) // it waits, and so does its helper; what follows holds anyway
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-waiter; !errors.Is(err, vault.ErrClosed) {
		t.Errorf("an Update that waited: %v", err)
	}
	c.Kill()
	quiet(t, before)
	if err := appendLine(t.Context(), openAt(t, path), "l"); err != nil {
		t.Errorf("after the holder was killed: %v", err)
	}
}

// quiet waits until there are no more than n goroutines.
func quiet(t *testing.T, n int) {
	t.Helper()
	if !poll(func() bool { return runtime.NumGoroutine() <= n }) {
		buf := make([]byte, 1<<16)
		t.Errorf("more than %d goroutines are left:\n%s", n, buf[:runtime.Stack(buf, true)])
	}
}

// poll waits until done is, a minute at most, which only a hang takes.
func poll(done func() bool) bool {
	for range 60_000 {
		if done() {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

// What Update acknowledged is there after kill -9.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	acknowledged := map[string]bool{}
	for round := range 20 {
		c := childtest.Start(t, "acknowledge", path)
		for range 1 + round*7 {
			acknowledged[c.Line(t)] = true
		}
		for _, l := range c.Kill() {
			acknowledged[l] = true
		}
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
	c := childtest.Start(t, "limit", path)
	var n int
	said := c.Line(t)
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
