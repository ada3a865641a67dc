// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// askOn reads a line from a terminal without showing it, and closes the terminal. It gives it back as it was, also when ctx ends.
// The terminal is raw meanwhile: in its own mode of lines the rest of a paste cannot be seen, a line of more than 4,095 bytes is
// cut, and term.ReadPassword takes Ctrl-D on an empty line for nothing.
func askOn(ctx context.Context, tty *os.File) ([]byte, error) {
	fd := int(tty.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return nil, errors.Join(err, tty.Close())
	}
	line, err := interruptible(ctx, func() ([]byte, error) { return readHidden(tty, func() bool { return waits(fd) }) })
	err = errors.Join(err, term.Restore(fd, before))
	if ctx.Err() != nil { // the read waits on, so the terminal stays open
		return nil, err
	}
	return line, errors.Join(err, tty.Close())
}

// waits reports whether there is more to read, or comes at once: a paste arrives in pieces, and faster than anybody types.
func waits(fd int) bool {
	const pause = 50 * time.Millisecond
	if fd >= unix.FD_SETSIZE { // of so many files no set can hold it
		return false
	}
	for {
		var set unix.FdSet
		set.Set(fd)
		left := unix.NsecToTimeval(int64(pause))
		n, err := unix.Select(fd+1, &set, nil, nil, &left)
		if err != unix.EINTR {
			return err == nil && n > 0
		}
	}
}

// Keys of a raw terminal.
const (
	ctrlC     = 0x03
	ctrlD     = 0x04
	backspace = '\b'
	ctrlU     = 0x15
	del       = 0x7f
)

var (
	errSeveral = usagef("this is more than one line, and all of it was thrown away: give a value of several lines by the standard input or with --file FILE")
	errKeys    = usagef("the line has a control character, as of an arrow key, and was thrown away: type it again, or give it by the standard input or a file")
	errLong    = usagef("the line has more than %d bytes", maxValue)
)

// readHidden reads a line from a raw terminal. What comes at once behind its end is thrown away, since else the shell would read
// it, and refused if it is more than line ends.
func readHidden(tty io.Reader, waits func() bool) ([]byte, error) {
	line, err := readKeys(tty)
	for read := 0; read < maxValue && waits(); read++ {
		c, failed := readKey(tty)
		if failed != nil {
			break
		}
		if err == nil && c != '\r' && c != '\n' {
			err = errSeveral
		}
	}
	if err != nil {
		clear(line)
		return nil, err
	}
	return line, nil
}

func readKey(tty io.Reader) (byte, error) {
	var key [1]byte
	_, err := io.ReadFull(tty, key[:])
	return key[0], err
}

// readKeys reads to the end of a line. Ctrl-D is io.EOF, whatever was typed before it.
func readKeys(tty io.Reader) (line []byte, err error) {
	for {
		c, err := readKey(tty)
		switch {
		case err != nil:
			return line, err
		case c == '\r' || c == '\n':
			return line, keysIn(line)
		case c == ctrlC:
			return line, context.Canceled
		case c == ctrlD:
			return line, io.EOF
		case c == ctrlU:
			clear(line)
			line = line[:0]
		case c == backspace || c == del:
			_, size := utf8.DecodeLastRune(line)
			line = line[:len(line)-size]
		case len(line) == maxValue:
			return line, errLong
		default:
			line = append(line, c)
		}
	}
}

// keysIn refuses a line with control characters but tabs.
func keysIn(line []byte) error {
	if bytes.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' }) {
		return errKeys
	}
	return nil
}
