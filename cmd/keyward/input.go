// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/keyward-go/keyward/vault"
)

const maxValue = 1 << 20 // bytes of a value, as the vault has it

// interruptible calls f, and leaves it behind when ctx ends: a read of a terminal or pipe cannot be ended.
func interruptible[T any](ctx context.Context, f func() (T, error)) (got T, err error) {
	type answer struct {
		got T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		got, err := f()
		done <- answer{got, err}
	}()
	select {
	case a := <-done:
		return a.got, a.err
	case <-ctx.Done():
		return got, ctx.Err()
	}
}

// prompt asks for a line that is not shown. Ctrl-D refuses.
func (a *app) prompt(ctx context.Context, what string) (vault.Secret, error) {
	fmt.Fprintf(a.err, "%s: ", plain(what))
	b, err := a.ask(ctx)
	fmt.Fprintln(a.err)
	defer clear(b)
	if errors.Is(err, io.EOF) {
		err = errNothing
	}
	return vault.NewSecret(string(b)), err
}

var errNothing = usagef("nothing was typed")

// readValue returns the value from the file, or from the standard input, or if that is a terminal from a prompt. A line on its
// own loses its newline, which echo and editors put there; several lines are kept as they are, and so is everything if raw.
func (a *app) readValue(ctx context.Context, what, file string, raw bool) (vault.Secret, error) {
	if _, _, err := a.existingPath(); err != nil {
		return vault.Secret{}, err
	}
	in := a.in
	switch {
	case file != "":
		f, err := os.Open(file)
		if err != nil {
			return vault.Secret{}, err
		}
		defer f.Close()
		in = f
	case a.inTerm:
		v, err := a.prompt(ctx, what)
		if err == nil && v.Equal(vault.Secret{}) {
			err = errNothing
		}
		return v, err
	}
	b, err := interruptible(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(in, maxValue+2)) })
	defer clear(b)
	if err != nil {
		return vault.Secret{}, err
	}
	value := b
	if line, ok := bytes.CutSuffix(b, []byte("\n")); ok && !raw && !bytes.Contains(line, []byte("\n")) {
		value = bytes.TrimSuffix(line, []byte("\r"))
	}
	switch {
	case len(value) == 0:
		return vault.Secret{}, usagef("the value is empty")
	case len(value) > maxValue:
		return vault.Secret{}, usagef("the value has more than %d bytes", maxValue)
	}
	return vault.NewSecret(string(value)), nil
}
