// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// newPTY returns both ends of a new terminal.
func newPTY(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("there are no terminals here:", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return keyboard, tty
}

func modes(t *testing.T, tty *os.File) (now unix.Termios) {
	t.Helper()
	got, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Error(err)
		return now
	}
	return *got
}

// TestAsk: what is typed or pasted is the value to the byte, or it is refused, and nothing of it is left for the shell.
func TestAsk(t *testing.T) {
	long := strings.Repeat("x", 10_000) // a terminal in its mode of lines cuts it
	for typed, want := range map[string]struct {
		line string
		err  error
	}{
		"abc\r":                   {line: "abc"},
		"abc\n":                   {line: "abc"},
		"abc\r\n\r":               {line: "abc"},
		"\r":                      {line: ""},
		" a\tb clé \r":            {line: " a\tb clé "},
		"\xff\x80\r":              {line: "\xff\x80"},
		"wrong\x15abé\x7f\x7fb\r": {line: "ab"},
		"\x7fa\b\bb\r":            {line: "b"},
		long + "\r":               {line: long},
		"one\rtwo\r":              {err: errSeveral},
		"one\rtwo":                {err: errSeveral},
		"one\n\ntwo\n":            {err: errSeveral},
		"-----BEGIN-----\r" + strings.Repeat(long+"\r", 3): {err: errSeveral},
		"\x04":             {err: errNothing},
		"abc\x04rest\r":    {err: errNothing},
		"abc\x03rest\r":    {err: context.Canceled},
		"abc\x1b[D\r":      {err: errKeys},
		"abc\x00\r":        {err: errKeys},
		"abc\x1b[D\rdef":   {err: errKeys},
		"abc\x17def\r\r\r": {err: errKeys},
	} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			keyboard, tty := newPTY(t)
			before := modes(t, tty)
			asked, err := os.OpenFile(tty.Name(), os.O_RDWR|unix.O_NOCTTY, 0)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for modes(t, tty).Lflag&unix.ICANON != 0 { // not asked yet
					runtime.Gosched()
				}
				_, _ = keyboard.WriteString(typed) // it waits where the terminal is full
			}()
			a := &app{err: io.Discard, ask: func(ctx context.Context) ([]byte, error) { return askOn(ctx, asked) }}
			got, err := a.prompt(t.Context(), "value")
			if got.Reveal() != want.line || !errors.Is(err, want.err) {
				t.Errorf("%.40q is read as %.40q, %v; want %.40q, %v", typed, got.Reveal(), err, want.line, want.err)
			}
			if modes(t, tty) != before {
				t.Errorf("%.40q leaves the terminal with other modes", typed)
			}
			if waits(int(tty.Fd())) {
				t.Errorf("%.40q leaves something for the shell", typed)
			}
		})
	}
}

// TestAskInterrupted: a prompt that is left behind gives the terminal back.
func TestAskInterrupted(t *testing.T) {
	_, tty := newPTY(t)
	before := modes(t, tty)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := askOn(ctx, tty); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	if modes(t, tty) != before {
		t.Error("the terminal has other modes")
	}
}
