// SPDX-License-Identifier: Apache-2.0

// Package backendtest is the conformance suite of vault.Store: every store of keyward passes it, and a store of your
// own should. The test of a store is:
//
//	func TestStore(t *testing.T) {
//		backendtest.Run(t, func(dir string) (vault.Store, error) { return mystore.Open(dir) })
//	}
//
// A store with a head file has one more method, Mark(ctx context.Context) ([]byte, error): the newest Batch.Mark of a commit,
// nil if there was none. It is checked where it is found. That a lost head file is made anew for Batch.Renew, and for nothing
// else, is for the store's own tests.
//
// Each case names the rule it checks and, when it fails, why the rule is there. A case that the store cannot take (it
// keeps nothing beyond Close, takes one handle at a time, has no Mark) is skipped with the reason. One more rule takes ten
// seconds to see, the end of the wait for the lock: it is checked when KEYWARD_SLOW is set in the environment.
//
// RunFaults does the same for a store that lets its commits be broken at each step. What a power cut or a kill leaves
// behind is not seen from inside one process: test that in the store's own package.
package backendtest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// Run checks the stores that open returns against every sentence of vault.Store, one subtest a case. It hands each case
// an empty directory of its own. With the same dir again, open answers for the same store: after Close that is a
// reopen, before Close a second handle.
//
// A store that keeps nothing beyond Close answers the second open of a dir with errors.ErrUnsupported; one that takes a
// single handle answers a second one, as long as the first is open, with an error that says so. Run calls open from one
// goroutine at a time. No case waits longer than five minutes, which only a store that hangs takes.
func Run(t *testing.T, open func(dir string) (vault.Store, error)) {
	s := suite{open: open, patience: patience}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { report(t, c.why, s.try(c, t.TempDir())) })
	}
}

const patience = 5 * time.Minute

// report tells t how a case ended.
func report(t *testing.T, why string, err error) {
	t.Helper()
	var s skip
	switch {
	case errors.As(err, &s):
		t.Skip(s)
	case err != nil:
		t.Errorf("%v\nwhy: %s", err, why)
	}
}

// skip is the reason why a store cannot take a case.
type skip string

func (s skip) Error() string { return string(s) }

// testCase is one rule. It answers with an error, so that the suite can itself be tested on broken stores.
type testCase struct {
	name string
	why  string
	run  func(*trial) error
}

// suite is what runs cases.
type suite struct {
	open     func(dir string) (vault.Store, error)
	patience time.Duration // the longest a case may take
}

// try runs one case. A store that hangs, or panics of its own, is reported like any other failure.
func (s suite) try(c testCase, dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	end := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				end <- fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		end <- s.attempt(ctx, c, dir)
	}()
	select {
	case err := <-end:
		return err
	case <-time.After(s.patience + s.patience/4):
		return errors.New("hangs: a call outlived its context, or Close waits for ever")
	}
}

// attempt opens the first store, runs c on it, and closes whatever was opened.
func (s suite) attempt(ctx context.Context, c testCase, dir string) (err error) {
	t := &trial{ctx: ctx, dir: dir, open: s.open}
	defer func() {
		for _, opened := range t.opened {
			if e := opened.Close(); e != nil && err == nil {
				err = fmt.Errorf("Close: %w", e)
			}
		}
	}()
	if t.Store, err = t.handle(); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	return c.run(t)
}
