// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package file_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/vault"
)

// The tests that need another process run this test binary again; the environment says what it is to do.
const (
	childTask = "KEYWARD_FILE_CHILD"
	childPath = "KEYWARD_FILE_PATH"
)

var childTasks = map[string]func(*file.Store) error{"hold": childHold, "acknowledge": childAcknowledge, "limit": childLimit}

func TestMain(m *testing.M) {
	task := childTasks[os.Getenv(childTask)]
	if task == nil {
		os.Exit(m.Run())
	}
	s, err := file.Open(context.Background(), os.Getenv(childPath))
	if err == nil {
		err = errors.Join(task(s), s.Close())
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// child is a running process of a task.
type child struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startChild(t testing.TB, task, path string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childTask+"="+task, childPath+"="+path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd, in, bufio.NewReader(out)}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	return c
}

// line is the next line that the child prints.
func (c *child) line(t testing.TB) string {
	t.Helper()
	s, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the child ended: %v", err)
	}
	if s = strings.TrimSpace(s); strings.HasPrefix(s, "error:") {
		t.Fatal("the child: ", s)
	}
	return s
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

// The second handle is told who has the store, in this process and in another, and comes in when the first is gone.
func TestOneHandle(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path)
	refused := func() {
		t.Helper()
		begin := time.Now()
		_, err := file.Open(t.Context(), path)
		if !errors.Is(err, vault.ErrBusy) || !strings.Contains(err.Error(), "another process, or another handle of this one, has it open") {
			t.Errorf("a second handle: %v", err)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("it waited %v", took)
		}
	}
	refused()
	commit(t, s, documented[0]) // the first goes on
	s.Close()

	c := startChild(t, "hold", path)
	if got := c.line(t); got != "held" {
		t.Fatal(got)
	}
	before := files(t, strings.TrimSuffix(path, "/vault.journal"))
	refused()
	if after := files(t, strings.TrimSuffix(path, "/vault.journal")); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the refused handle left %q", after)
	}
	c.Process.Kill() // the kernel gives the lock back
	c.Wait()
	if n := size(t, openAt(t, path)); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
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
		c := startChild(t, "acknowledge", path)
		for range 1 + 3*round {
			fmt.Sscan(c.line(t), &acknowledged)
		}
		c.Process.Kill()
		for rest := bufio.NewScanner(c.out); rest.Scan(); {
			fmt.Sscan(rest.Text(), &acknowledged)
		}
		c.Wait()
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
	c := startChild(t, "limit", path)
	var n int64
	var end string
	if line := c.line(t); true {
		fmt.Sscan(line, &n, &end)
	}
	if end != "<nil>" {
		t.Error(end)
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

// Where a failed write cannot be taken back, or the disk is not sound, the store ends, and does not say that nothing changed.
func TestNotTakenBack(t *testing.T) {
	for _, c := range []struct {
		cause error
		cuts  bool
	}{{syscall.ENOSPC, false}, {syscall.EIO, false}, {syscall.EIO, true}} {
		cause := c.cause
		path := newPath(t)
		broken := false
		s, err := file.OpenFaulty(t.Context(), path, func(step string) error {
			if broken && (step == "write" || step == "cut" && !c.cuts) {
				return cause
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		commit(t, s, documented[0])
		broken = true
		if err := update(s, documented[1]); err == nil || errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%v: %v", cause, err)
		}
		broken = false
		if err := update(s, documented[1]); err == nil || !strings.Contains(err.Error(), "open it again") {
			t.Errorf("%v, and then: %v", cause, err)
		}
		if n := size(t, s); n != 1 {
			t.Errorf("%d lines are read", n)
		}
		s.Close()
		s = openAt(t, path)
		commit(t, s, documented[1])
		s.Close()
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
