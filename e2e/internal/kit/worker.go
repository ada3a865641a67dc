// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Done is the line that a worker writes to its standard output when its program has ended. It then stands until its standard
// input ends, so that it can be looked into.
const Done = "keyward-e2e: done"

// Worker is a process that runs a client, with a folder of its own as HOME, TMPDIR and working folder.
type Worker struct {
	Dir string
	Out string // what it wrote to its standard output before the line Done

	cmd    *exec.Cmd
	stdin  io.Closer
	stderr syncBuffer
}

// Start runs a program until it is done, with files as the content of its folder, and env for what it is told beside where it
// is. As another user if asked, and if this machine lets it. What it writes is in the error if it fails.
func (k *Kit) Start(ctx context.Context, other bool, files map[string][]byte, env []string, program string, args ...string) (*Worker, error) {
	dir := filepath.Join(k.dir, fmt.Sprintf("worker-%d", len(k.workers)))
	w := &Worker{Dir: dir, cmd: exec.CommandContext(ctx, program, args...)}
	err := os.Mkdir(dir, 0o700)
	for name, text := range files {
		name = filepath.Join(dir, name)
		err = errors.Join(err, os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, text, 0o600))
	}
	if err != nil {
		return nil, err
	}
	w.cmd.Dir = dir
	w.cmd.Env = append([]string{"HOME=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}, env...)
	if other {
		if why := asOther(w.cmd, dir, program); why != "" {
			fmt.Println("  not as another user:", why)
		}
	}
	w.cmd.Stderr = &w.stderr
	stdin, err1 := w.cmd.StdinPipe()
	stdout, err2 := w.cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	w.stdin = stdin
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	k.workers = append(k.workers, w)
	w.Out, err = until(stdout, Done)
	if err != nil {
		w.stop()
		return nil, fmt.Errorf("%s: %w\n%s\n%s", strings.Join(args, " "), err, end(w.Out), end(w.stderr.String()))
	}
	return w, nil
}

// until returns what r has before the line.
func until(r io.Reader, line string) (string, error) {
	var b strings.Builder
	for lines := bufio.NewReader(r); ; {
		text, err := lines.ReadString('\n')
		if strings.TrimSpace(text) == line {
			return b.String(), nil
		}
		b.WriteString(text)
		if err != nil {
			return b.String(), errors.New("it ended before it was done")
		}
	}
}

// end is what is of interest in the output of a program that failed.
func end(text string) string { return text[max(0, len(text)-4000):] }

// stop lets the worker end. It was done, so how it ends is of no interest.
func (w *Worker) stop() {
	_ = w.stdin.Close()
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
}

// syncBuffer is a bytes.Buffer that is written while it is read.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
