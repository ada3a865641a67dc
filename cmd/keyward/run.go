// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/vault"
)

func newRunCommand(a *app) *cobra.Command {
	var env []string
	c := &cobra.Command{
		Use:   "run --env NAME=PATH… -- PROGRAM [ARG…]",
		Short: "Run a program with values in its environment",
		Long: `Run starts a program with values in its environment, each recorded as a use, and masks them in what it prints. With
KEYWARD_TOKEN set they are what that token may use; the program does not see the token. Signals are passed on, and the exit code
is the program's, or 128 and the number of the signal that ended it; 127 if there is no such program, 126 if it may not be executed.

A path with hosts may go to these hosts alone, over HTTP, and so into no environment.`,
		Example: `  keyward run --env OPENAI_API_KEY=production/llm/openai -- python worker.py
  keyward run --env PGPASSWORD=production/db/password --reason 'nightly report' -- psql -c 'select 1'`,
		Args: func(cmd *cobra.Command, args []string) error {
			return want(1, 1<<20, "--env NAME=PATH… -- PROGRAM [ARG…]")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.run(cmd.Context(), env, args) },
	}
	c.Flags().SetInterspersed(false) // what is behind the program's name is the program's
	c.Flags().StringArrayVar(&env, "env", nil, "the variable NAME holds the value at PATH, as `NAME=PATH`; may be repeated")
	return c
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (a *app) run(ctx context.Context, env, args []string) error {
	var names, paths []string
	for _, e := range env {
		name, path, ok := strings.Cut(e, "=")
		if !ok || name == "" || path == "" {
			return usagef("--env: NAME=PATH")
		}
		if !variable.MatchString(name) {
			return usagef("--env: the name of a variable is of A-Z a-z 0-9 _ and begins with no digit")
		}
		names, paths = append(names, name), append(paths, path)
	}
	program := exec.Command(args[0], args[1:]...)
	if program.Err != nil {
		return notStarted(program.Err)
	}
	var mask redact.Redactor
	out, errOut := mask.Writer(a.out), mask.Writer(a.err)
	program.Stdin, program.Stdout, program.Stderr = a.in, out, errOut
	program.WaitDelay = 5 * time.Second // for what it leaves behind and still holds its output
	program.Env = a.env()
	signals := make(chan os.Signal, 8)

	// The values are lent until the program has them. The vault is closed then: others may need it while the program runs.
	err := a.withCaller(ctx, func(c caller) error {
		return a.lend(ctx, c, paths, nil, func(values []vault.Secret) error {
			for i, v := range values {
				if strings.ContainsRune(v.Reveal(), 0) {
					return usagef("the value of %s has a zero byte, which no variable can hold", paths[i])
				}
				if err := mask.Add(v); err != nil {
					return err
				}
				program.Env = append(program.Env, names[i]+"="+v.Reveal())
			}
			signal.Notify(signals, passedOn(a.inTerm)...)
			return notStarted(program.Start())
		})
	})
	program.Env = nil
	defer signal.Stop(signals)
	if program.Process == nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				_ = program.Process.Signal(s) // it may have ended
			case <-ended:
				return
			}
		}
	}()
	waited := program.Wait()
	close(ended)
	err = errors.Join(err, closeAll(out, errOut))
	var exit *exec.ExitError
	switch {
	case err != nil:
		return err
	case errors.As(waited, &exit):
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			return exitCode(128 + int(s.Signal()))
		}
		return exitCode(exit.ExitCode())
	case errors.Is(waited, exec.ErrWaitDelay):
		return nil
	}
	return waited
}

// notStarted says why a program does not start, by the two cases that shells tell apart.
func notStarted(err error) error {
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", errNoProgram, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%w: %w", errNotExecutable, err)
	}
	return err
}

// passedOn are the signals for the program. Those that a terminal sends for a key, it sends to the program by itself.
func passedOn(terminal bool) []os.Signal {
	if terminal {
		return []os.Signal{syscall.SIGTERM, syscall.SIGHUP}
	}
	return []os.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT}
}

// lend calls f while the values of all paths are lent.
func (a *app) lend(ctx context.Context, c caller, paths []string, values []vault.Secret, f func([]vault.Secret) error) error {
	if len(values) == len(paths) {
		return f(values)
	}
	path := paths[len(values)]
	return c.Use(ctx, vault.Request{Path: path, Reason: a.reason}, func(it vault.Item) error {
		return a.lend(ctx, c, paths, append(values, it.Value), f)
	})
}

func closeAll(all ...io.Closer) (err error) {
	for _, c := range all {
		err = errors.Join(err, c.Close())
	}
	return err
}
