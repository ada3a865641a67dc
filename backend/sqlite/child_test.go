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
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/keyward-go/keyward/backend/internal/childtest"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// childtest.Main calls them with the store of the test.
var childTasks = map[string]func(s *sqlite.Store, path string) error{
	"busy": childBusy, "get": childGet, "count": childCount, "hold": childHold, "acknowledge": childAcknowledge, "limit": childLimit,
}

func TestMain(m *testing.M) {
	tasks := make(map[string]func(string) error)
	for name, task := range childTasks {
		tasks[name] = func(path string) error {
			s, err := sqlite.Open(context.Background(), path)
			if err != nil {
				return err
			}
			return errors.Join(task(s, path), s.Close())
		}
	}
	childtest.Main(m, tasks)
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
func childBusy(s *sqlite.Store, _ string) error {
	return busy(func() error { return appendLine(context.Background(), s, "{}") })
}

// busy calls f from 8 goroutines, of each once or more, for a second after it was told to start, and prints how often, and the
// longest wait in microseconds.
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
			for more := true; more; {
				start := time.Now()
				err := f()
				now := time.Now()
				mu.Lock()
				n++
				longest = max(longest, now.Sub(start))
				errs = errors.Join(errs, err)
				mu.Unlock()
				more = now.Before(end)
			}
		})
	}
	wg.Wait()
	fmt.Println(n, longest.Microseconds())
	return errs
}

const countTo = 100

// childCount appends countTo lines, in order.
func childCount(s *sqlite.Store, _ string) error {
	for i := range countTo {
		if err := appendLine(context.Background(), s, fmt.Sprint(os.Getpid(), " ", i)); err != nil {
			return err
		}
	}
	return nil
}

// childHold holds the lock until its standard input is closed.
func childHold(s *sqlite.Store, _ string) error {
	return s.Update(context.Background(), 0, func([]vault.Row) (vault.Batch, error) {
		fmt.Println("held")
		_, err := io.Copy(io.Discard, os.Stdin)
		return vault.Batch{}, err
	})
}

// childAcknowledge prints each line of which Update said that it is durable, until it is killed.
func childAcknowledge(s *sqlite.Store, _ string) error {
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
func childLimit(s *sqlite.Store, _ string) error {
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
