// SPDX-License-Identifier: Apache-2.0

// Keyward is the command line of keyward: it keeps credentials in a vault, gives agents tokens, and reads the log.
//
//	go run ./cmd/keyward
//
// says what to do first. What is made for a program to read (a value, a token, a key, a list) is on the standard output,
// everything else on the other. A value is never an argument: it is typed at a prompt, read from the standard input or from a
// file.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"golang.org/x/term"

	"github.com/keyward-go/keyward/vault"
)

func main() {
	conceal()
	log.SetOutput(io.Discard) // net/http quotes there what upstreams send behind an answer
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := guarded(os.Stderr, func() int { return execute(ctx, newApp(), os.Args[1:]) })
	stop()
	os.Exit(code)
}

// guarded runs f. Of a panic it prints the type and the stack, and not the text, in which a value may stand.
func guarded(w io.Writer, f func() int) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(w, "keyward: a fault in keyward itself (%T); please report this:\n%s", p, debug.Stack())
			code = exitFailure
		}
	}()
	return f()
}

// app is what every command is given: where it reads and writes, and the global flags.
type app struct {
	in       io.Reader
	out, err io.Writer
	// Which of them are terminals.
	inTerm, outTerm, errTerm bool

	getenv func(name string) string
	env    func() []string // for the programs that run starts
	ask    func(context.Context) ([]byte, error)

	token vault.Token // of KEYWARD_TOKEN: who acts, if it is set

	store, root, anchor, as, reason string
	json                            bool
}

// newApp returns the app of this process. The bearer leaves the environment, so that no program that is started inherits it;
// what the kernel keeps of the first environment, conceal has taken from them.
func newApp() *app {
	isTerm := func(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
	a := &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		inTerm: isTerm(os.Stdin), outTerm: isTerm(os.Stdout), errTerm: isTerm(os.Stderr),
		getenv: os.Getenv, env: os.Environ, ask: askTerminal,
		token: vault.NewToken(os.Getenv(tokenEnv)),
	}
	_ = os.Unsetenv(tokenEnv) // it fails for malformed names only
	return a
}

// askTerminal is askOn for the terminal of this process.
func askTerminal(ctx context.Context) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, usagef("there is no terminal to ask on")
	}
	return askOn(ctx, tty)
}
