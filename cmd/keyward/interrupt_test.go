// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// interrupting ends the context once some bytes have passed.
type interrupting struct {
	r    io.Reader
	stop context.CancelFunc
	left int
}

func (i *interrupting) passed(n int) {
	if i.left -= n; i.left < 0 {
		i.stop()
	}
}

func (i *interrupting) Write(b []byte) (int, error) {
	i.passed(len(b))
	return len(b), nil
}

func (i *interrupting) Read(b []byte) (int, error) {
	n, err := i.r.Read(b)
	i.passed(n)
	return n, err
}

// TestInterrupt: long work ends when it is interrupted, and says so; what is left is no vault and no backup.
func TestInterrupt(t *testing.T) {
	s := newTerminal(t)
	s.play("$ keyward init")
	for _, path := range []string{"a/one", "a/two", "a/three"} {
		s.run(false, strings.Repeat("x", maxValue), "keyward", "set", path)
	}
	s.play("$ keyward backup -o $DIR/whole")
	whole, err := os.Open(filepath.Join(s.vars["DIR"], "whole"))
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	s.vars["NEW"] = filepath.Join(s.vars["DIR"], "new", "vault.db")
	for _, args := range [][]string{
		{"backup"},
		{"restore", "-", "--store", s.vars["NEW"]},
	} {
		ctx, stop := context.WithCancel(t.Context())
		var said bytes.Buffer
		pipe := &interrupting{r: whole, stop: stop, left: maxValue}
		code := execute(ctx, &app{in: pipe, out: pipe, err: &said, getenv: s.value}, args)
		if code != exitFailure || !strings.Contains(said.String(), "interrupted") {
			t.Errorf("%s ends with %d: %s", args[0], code, &said)
		}
		stop()
	}
	s.play(`
		$ keyward list --store $NEW
		! an unfinished restore: empty the store and restore again
		? 1
	`)
}
