// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Done is the line that a worker writes to its standard output when its program has ended. It then stands until its standard
// input ends, so that it can be looked into.
const Done = "keyward-e2e: done"

// Worker is a process that runs a client, with a folder of its own as HOME, TMPDIR and working folder.
type Worker struct {
	Name string // as the group calls it

	user   string // " as another user", or empty
	dir    string
	out    string // its standard output before the line Done
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr string // the file that it writes to, so that all is there that was written before Done
}

// Command is how a worker is started.
type Command struct {
	Name  string            // in what is printed
	Args  []string          // the first is the program
	Env   []string          // beside HOME, TMPDIR, PATH and LANG
	Files map[string][]byte // in its folder
	Other bool              // as another user, to whom the vault is closed, if this machine lets it
}

// Start runs a program until it is done. What it wrote is in the error if it fails.
func (k *Kit) Start(ctx context.Context, c Command) (*Worker, error) {
	dir := filepath.Join(k.dir, fmt.Sprintf("worker-%d", len(k.workers)))
	w := &Worker{Name: c.Name, dir: dir, cmd: exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)}
	err := os.Mkdir(dir, 0o700)
	for name, text := range c.Files {
		name = filepath.Join(dir, name)
		err = errors.Join(err, os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, text, 0o600))
	}
	if err != nil {
		return nil, err
	}
	w.cmd.Dir = dir
	w.cmd.Env = append([]string{"HOME=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}, c.Env...)
	if c.Other {
		if why := asOther(w.cmd, dir); why != "" {
			fmt.Printf("  %s: not as another user: %s\n", c.Name, why)
		} else {
			w.user = " as another user"
		}
	}
	w.stderr = dir + ".stderr"
	stderr, err := os.Create(w.stderr)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	w.cmd.Stderr = stderr
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
	w.out, err = until(stdout, Done)
	if err != nil {
		w.stop()
		text, _ := os.ReadFile(w.stderr) // without it the error says less
		return nil, fmt.Errorf("%s: %w\n%s\n%s", c.Name, err, end(w.out), end(string(text)))
	}
	return w, nil
}

// Output is what the program has written to its standard output.
func (w *Worker) Output() string { return w.out }

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
