// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

// Package childtest runs a test binary again as another process, for tests of what processes do to one another and of what a
// killed one leaves behind.
package childtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// What the child is to do, and on which store, is in its environment.
const (
	taskEnv = "KEYWARD_CHILD_TASK"
	pathEnv = "KEYWARD_CHILD_PATH"
)

// Main is the body of TestMain: in a child it runs the task that Start has named, and otherwise the tests. An error of a task
// is printed, for Line to find.
func Main(m *testing.M, tasks map[string]func(path string) error) {
	task := tasks[os.Getenv(taskEnv)]
	if task == nil {
		os.Exit(m.Run())
	}
	if err := task(os.Getenv(pathEnv)); err != nil {
		fmt.Println(failed, err)
		os.Exit(1)
	}
}

const failed = "error:"

// Child is a running process.
type Child struct {
	*exec.Cmd
	In  io.WriteCloser
	out *bufio.Reader
}

// Start runs the named task on path. The child ends with the test at the latest, also one that is stopped.
func Start(t testing.TB, task, path string) *Child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), taskEnv+"="+task, pathEnv+"="+path)
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
	c := &Child{cmd, in, bufio.NewReader(out)}
	t.Cleanup(func() { c.Kill() })
	return c
}

// Line is the next line that the child prints.
func (c *Child) Line(t testing.TB) string {
	t.Helper()
	s, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the child ended: %v", err)
	}
	if s = strings.TrimSpace(s); strings.HasPrefix(s, failed) {
		t.Fatal("the child: ", s)
	}
	return s
}

// Stop stops the child where it is, until Continue.
func (c *Child) Stop() error { return c.Process.Signal(syscall.SIGSTOP) }

// Continue lets a stopped child go on.
func (c *Child) Continue() error { return c.Process.Signal(syscall.SIGCONT) }

// Kill kills the child (kill -9), waits for its end, and returns the whole lines that it had printed and nobody has read.
func (c *Child) Kill() (unread []string) {
	_ = c.Process.Kill() // a stopped one too; it may have ended
	for {
		line, err := c.out.ReadString('\n')
		if err != nil { // what has no newline was said to nobody
			break
		}
		unread = append(unread, strings.TrimSpace(line))
	}
	_ = c.Wait()
	return unread
}
