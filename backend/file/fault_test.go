// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package file_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/vault"
)

// Where a failed write cannot be taken back, or the disk is not sound, the store ends, and does not say that nothing changed.
func TestNotTakenBack(t *testing.T) {
	for _, c := range []struct {
		cause error
		cuts  bool
	}{{syscall.ENOSPC, false}, {syscall.EIO, false}, {syscall.EIO, true}} {
		cause := c.cause
		path := newPath(t)
		broken := false
		s, err := file.OpenFaulty(t.Context(), path, func(step string) error {
			if broken && (step == "write" || step == "cut" && !c.cuts) {
				return cause
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		commit(t, s, documented[0])
		broken = true
		if err := update(s, documented[1]); err == nil || errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%v: %v", cause, err)
		}
		broken = false
		if err := update(s, documented[1]); err == nil || !strings.Contains(err.Error(), "open it again") {
			t.Errorf("%v, and then: %v", cause, err)
		}
		if n := size(t, s); n != 1 {
			t.Errorf("%d lines are read", n)
		}
		s.Close()
		s = openAt(t, path)
		commit(t, s, documented[1])
		s.Close()
	}
}

// A torn tail that cannot be cut off ends the store: nothing is written over what is not known.
func TestTornTailStays(t *testing.T) {
	journal, head := small(t)
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		path := put(t, journal+`{"rows":[`, head)
		var steps []string
		broken := true
		s, err := file.OpenFaulty(t.Context(), path, func(step string) error {
			if steps = append(steps, step); step == "cut" && broken {
				return cause
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		next := vault.Batch{First: 3, Lines: [][]byte{[]byte("{}")}}
		for range 2 {
			if err := update(s, next); err == nil || errors.Is(err, syscall.ENOSPC) || slices.Contains(steps, "write") {
				t.Errorf("%v: Update says %v after %q", cause, err, steps)
			}
			broken = false
		}
		if err := update(s, next); err == nil || !strings.Contains(err.Error(), "open it again") {
			t.Errorf("%v, and then: %v", cause, err)
		}
		if got := read(t, path); got != journal+`{"rows":[` {
			t.Errorf("%v: the journal was changed: %q", cause, got)
		}
		s.Close()
		s = openAt(t, path)
		commit(t, s, next)
		s.Close()
	}
}

// Open syncs the journal and its folder before it answers: a killed process may have left a line or a rename that is not on the
// disk, and what is built on it must not outlive it.
func TestOpenSettles(t *testing.T) {
	journal, head := small(t)
	for _, text := range []string{journal, journal + `{"rows":[`} {
		for fail, want := range map[string][]string{
			"":               {"settle journal", "settle folder"},
			"settle journal": {"settle journal"},
			"settle folder":  {"settle journal", "settle folder"},
		} {
			path := put(t, text, head)
			var steps []string
			s, err := file.OpenFaulty(t.Context(), path, func(step string) error {
				if steps = append(steps, step); step == fail {
					return syscall.EIO
				}
				return nil
			})
			if (err == nil) != (fail == "") || fail != "" && !errors.Is(err, syscall.EIO) {
				t.Errorf("%q fails: Open says %v", fail, err)
			}
			if !slices.Equal(steps, want) {
				t.Errorf("%q fails: %q, want %q", fail, steps, want)
			}
			if s != nil {
				s.Close()
			}
		}
	}
}

// A commit whose mark cannot be written stands, and the error leaves that open. The next one goes on; but behind the first of
// all there is none, until the store is opened anew.
func TestMarkNotWritten(t *testing.T) {
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		for before := range int64(3) {
			broken := false
			path := newPath(t)
			s, err := file.OpenFaulty(t.Context(), path, func(step string) error {
				if broken && step == "write head" {
					return cause
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for n := range before {
				if err := next(s, n, fmt.Sprint("mark ", n)); err != nil {
					t.Fatal(err)
				}
			}
			broken = true
			if err := next(s, before, "lost"); err == nil || errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "durable") {
				t.Errorf("%v: Update says %v", cause, err)
			}
			broken = false
			for _, mark := range []string{"", "next"} {
				err := update(s, vault.Batch{First: size(t, s), Lines: [][]byte{[]byte("{}")}, Mark: []byte(mark)})
				if (err != nil) != (before == 0) || err != nil && !strings.Contains(err.Error(), "open it again") {
					t.Errorf("%v behind %d marks, and then: %v", cause, before, err)
				}
			}
			s.Close()
			s = openAt(t, path)
			if err := next(s, size(t, s), "anew"); err != nil {
				t.Errorf("%v, opened anew: %v", cause, err)
			}
			if m, err := s.Mark(t.Context()); err != nil || string(m) != "anew" {
				t.Errorf("mark %q, %v", m, err)
			}
			s.Close()
		}
	}
}

// A first mark that cannot be synced ends the store: no later commit passes, without a mark either.
func TestFirstMarkNotSynced(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path)
	if err := errors.Join(next(s, 0, "first"), os.Rename(path+"-head", path+"-away")); err != nil {
		t.Fatal(err)
	}
	if err := next(s, 1, "second"); err == nil || !strings.Contains(err.Error(), "sync of the head file") {
		t.Errorf("beside a head file that is gone: %v", err)
	}
	if err := os.Rename(path+"-away", path+"-head"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := update(s, documented[1]); err == nil || !strings.Contains(err.Error(), "close the store and open it again") {
			t.Errorf("and then: %v", err)
		}
	}
	if n := size(t, s); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
	if s.Close() == nil {
		t.Error("Close does not tell of it")
	}
}
