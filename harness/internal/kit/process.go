// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Process is a running child.
type Process struct {
	First <-chan struct{} // closed when it has acknowledged something, or ended

	cmd    *exec.Cmd
	stderr bytes.Buffer
	done   chan struct{} // its acknowledgements have ended
	acks   []Ack
	err    error
}

// Start runs this program again as a child of the harness, with the vault in dir. args is for Child.Args, env
// is added to the environment, and prefix, if any, is the command that runs it: strace with its flags.
func (r *Run) Start(ctx context.Context, dir string, args any, env []string, prefix ...string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(task{r.Harness.Name, r.Store.Name, dir, r.Bug, raw})
	if err != nil {
		return nil, err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	argv := append(prefix, self)
	first := make(chan struct{})
	p := &Process{First: first, done: make(chan struct{}), cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	p.cmd.Env = append(append(os.Environ(), env...), childEnv+"="+string(text))
	p.cmd.Stderr, p.cmd.ExtraFiles = &p.stderr, []*os.File{in}
	together(p.cmd)
	err = p.cmd.Start()
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	go p.read(out, first)
	return p, nil
}

// read collects acknowledgements. A last line without its end was acknowledged to nobody.
func (p *Process) read(out *os.File, first chan struct{}) {
	defer close(p.done)
	defer out.Close()
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		line, err := lines.ReadBytes('\n')
		if n == 0 {
			close(first)
		}
		if err != nil {
			return
		}
		var a Ack
		if err := json.Unmarshal(line, &a); err != nil {
			p.err = fmt.Errorf("a child's acknowledgement: %w", err)
		}
		p.acks = append(p.acks, a)
	}
}

// Kill ends it as kill -9 does.
func (p *Process) Kill() { p.cmd.Process.Kill() }

// Wait returns what it acknowledged and its exit code, which is -1 if a signal ended it.
func (p *Process) Wait() (acks []Ack, code int, err error) {
	<-p.done
	err = p.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return p.acks, p.cmd.ProcessState.ExitCode(), errors.Join(err, p.err)
}

// Ended is nil if it ended well, a Violation if it returned one or crashed, and any other error if it could not do its work.
// It is for after Wait.
func (p *Process) Ended() error {
	switch code := p.cmd.ProcessState.ExitCode(); code {
	case 0:
		return nil
	case ExitBroken, ExitCrash:
		return Violationf("%s", p.Stderr())
	default:
		return fmt.Errorf("a child ended with code %d: %s", code, p.Stderr())
	}
}

// Stderr is the beginning of what it said on standard error, after Wait.
func (p *Process) Stderr() string {
	text := strings.TrimSpace(p.stderr.String())
	return text[:min(len(text), 2000)]
}
