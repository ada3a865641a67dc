// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/keyward-go/keyward/vault"
)

const (
	maxOutput = 16 << 20
	killWait  = 5 * time.Second
)

// Command is a program of the developer's choice that gets credentials in its environment. Program and arguments are never
// for a model to choose: whoever chooses them has the credentials. What the program prints is masked.
//
// A credential for a program must be one without hosts: where a program takes it, no policy of hosts can say. On most systems
// other processes of the same user can read a program's environment while it runs.
type Command struct {
	Program string            // required; looked up in PATH if it has no slash
	Args    []string          // without the program's name
	Secrets map[string]string // variable → path of the secret. The right to use it is needed
	Reason  string            // for the records
	// Env is the rest of the environment. Nil: PATH, HOME, USER, LANG, TERM and TMPDIR of this process and nothing else.
	Env            []string
	Dir            string
	Stdin          io.Reader
	Stdout, Stderr io.Writer // masked; may be one writer; nil discards, but for Output
}

// Run runs the command and waits for it. Each secret is a use, recorded before the program starts. The error is that of the
// vault (vault.ErrDenied for a secret with hosts), or that of package os/exec; a program that is still there when ctx ends is killed.
func (a *Agent) Run(ctx context.Context, c Command) error {
	for name := range c.Secrets {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return fmt.Errorf("agent: %w: a variable has a name without = in it", vault.ErrInvalid)
		}
	}
	env := c.Env
	if env == nil {
		for _, name := range []string{"PATH", "HOME", "USER", "LANG", "TERM", "TMPDIR"} {
			if v, ok := os.LookupEnv(name); ok {
				env = append(env, name+"="+v)
			}
		}
	}
	names := slices.Sorted(maps.Keys(c.Secrets))
	var reqs []vault.Request
	for _, name := range names {
		reqs = append(reqs, vault.Request{Path: c.Secrets[name], Reason: a.redactor.String(c.Reason)})
	}
	lent := false
	err := a.use(ctx, reqs, func(values []string) error {
		lent = true
		env := slices.Clone(env)
		for i, value := range values {
			if strings.ContainsRune(value, 0) {
				return fmt.Errorf("agent: %w: the value of %s has a zero byte, which no variable can hold", vault.ErrInvalid, reqs[i].Path)
			}
			env = append(env, names[i]+"="+value)
		}
		return a.exec(ctx, c, env)
	})
	if !lent && errors.Is(err, vault.ErrDenied) {
		return fmt.Errorf("agent: a program takes only secrets of paths without hosts, in its scope: %w", err)
	}
	return err
}

// Output runs the command and returns what it wrote to its standard output, masked, at most 16 MiB; more is an error.
// c.Stdout must be nil.
func (a *Agent) Output(ctx context.Context, c Command) ([]byte, error) {
	if c.Stdout != nil {
		return nil, fmt.Errorf("agent: %w: Output sets Stdout by itself", vault.ErrInvalid)
	}
	out := &bounded{left: maxOutput}
	c.Stdout = out
	err := a.Run(ctx, c)
	return out.buf.Bytes(), err
}

func (a *Agent) exec(ctx context.Context, c Command, env []string) error {
	cmd := exec.CommandContext(ctx, c.Program, c.Args...)
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.WaitDelay = env, c.Dir, c.Stdin, killWait
	var masked []io.WriteCloser
	mask := func(w io.Writer) io.Writer {
		if w == nil {
			return nil
		}
		masked = append(masked, a.redactor.Writer(w))
		return masked[len(masked)-1]
	}
	cmd.Stdout = mask(c.Stdout)
	if cmd.Stderr = cmd.Stdout; !same(c.Stdout, c.Stderr) { // one writer for both is written to by one goroutine, as os/exec has it
		cmd.Stderr = mask(c.Stderr)
	}
	err := cmd.Run()
	for _, w := range masked {
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return fmt.Errorf("agent: %s: %w", cmd.Path, err)
	}
	return nil
}

// same reports whether two writers are one. Some cannot be compared.
func same(a, b io.Writer) (is bool) {
	defer func() { _ = recover() }()
	return a == b
}

// bounded is a buffer that refuses more than its bound.
type bounded struct {
	buf  bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(p) > b.left {
		return 0, fmt.Errorf("the output is longer than %d bytes", maxOutput)
	}
	b.left -= len(p)
	return b.buf.Write(p)
}
