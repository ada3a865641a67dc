// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

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
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// The tests that need other processes run this test binary again; the environment says what it is to do.
const (
	childTask = "KEYWARD_SQLITE_CHILD"
	childPath = "KEYWARD_SQLITE_PATH"
)

var childTasks = map[string]func(*sqlite.Store) error{
	"busy": childBusy, "get": childGet, "count": childCount, "hold": childHold, "acknowledge": childAcknowledge, "limit": childLimit,
}

func TestMain(m *testing.M) {
	task := childTasks[os.Getenv(childTask)]
	if task == nil {
		os.Exit(m.Run())
	}
	s, err := sqlite.Open(context.Background(), os.Getenv(childPath))
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
		c.Process.Signal(syscall.SIGCONT)
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

// appendLine commits one line at the end of the log, wherever that is: the head row says. The mark says how many lines there
// are then.
func appendLine(ctx context.Context, s *sqlite.Store, line string) error {
	rows, err := s.Rows(ctx, "head", 1)
	if err != nil {
		return err
	}
	size := headSize(rows)
	return s.Update(ctx, size, func(changed []vault.Row) (vault.Batch, error) {
		size := max(size, headSize(changed))
		return vault.Batch{First: size, Lines: [][]byte{[]byte(line)}, Mark: fmt.Append(nil, size+1),
			Rows: []vault.Row{{Key: "head", Seq: size, Data: fmt.Append(nil, size+1)}}}, nil
	})
}

// headSize is the size that a head row among rows says.
func headSize(rows []vault.Row) (size int64) {
	for _, r := range rows {
		if r.Key == "head" {
			fmt.Sscan(string(r.Data), &size)
		}
	}
	return size
}

// childBusy appends lines as busy does.
func childBusy(s *sqlite.Store) error {
	return busy(func() error { return appendLine(context.Background(), s, "{}") })
}

// busy calls f from 8 goroutines for a second after it was told to start, and prints how often, and the longest wait in
// microseconds.
func busy(f func() error) error {
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
	var mu sync.Mutex
	var n int
	var longest time.Duration
	var errs error
	var wg sync.WaitGroup
	end := time.Now().Add(time.Second)
	for range 8 {
		wg.Go(func() {
			for start := time.Now(); start.Before(end); {
				err := f()
				now := time.Now()
				mu.Lock()
				n++
				longest = max(longest, now.Sub(start))
				errs = errors.Join(errs, err)
				mu.Unlock()
				start = now
			}
		})
	}
	wg.Wait()
	fmt.Println(n, longest.Microseconds())
	return errs
}

const countTo = 100

// childCount appends countTo lines, in order.
func childCount(s *sqlite.Store) error {
	for i := range countTo {
		if err := appendLine(context.Background(), s, fmt.Sprint(os.Getpid(), " ", i)); err != nil {
			return err
		}
	}
	return nil
}

// childHold holds the lock until its standard input is closed.
func childHold(s *sqlite.Store) error {
	return s.Update(context.Background(), 0, func([]vault.Row) (vault.Batch, error) {
		fmt.Println("held")
		_, err := io.Copy(io.Discard, os.Stdin)
		return vault.Batch{}, err
	})
}

// childAcknowledge prints each line of which Update said that it is durable, until it is killed.
func childAcknowledge(s *sqlite.Store) error {
	var wg sync.WaitGroup
	var n atomic.Int64
	for range 4 {
		wg.Go(func() {
			for {
				line := fmt.Sprintf("%d/%d", os.Getpid(), n.Add(1))
				if err := appendLine(context.Background(), s, line); err != nil {
					fmt.Println("error:", err)
					return
				}
				os.Stdout.WriteString(line + "\n")
			}
		})
	}
	wg.Wait()
	return nil
}

// childLimit runs into the limit on the size of a file, and prints how many lines it was promised, and the error.
func childLimit(s *sqlite.Store) error {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 256 << 10, Max: old.Max}); err != nil {
		return err
	}
	for n := range 10_000 {
		if err := appendLine(context.Background(), s, strings.Repeat("l", 4000)); err != nil {
			fmt.Println(n, err)
			return nil
		}
	}
	return errors.New("no limit was met")
}
