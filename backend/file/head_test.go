// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package file_test

import (
	"bytes"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/vault"
)

// The mark of a commit is in the head file when Update returns; one without a mark, or that fails, leaves it as it is.
func TestMark(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path)
	check := func(want string) {
		t.Helper()
		if got, err := s.Mark(t.Context()); err != nil || string(got) != want || (got == nil) != (want == "") {
			t.Errorf("mark %q, %v; want %q", got, err, want)
		}
	}
	check("")
	long := bytes.Repeat([]byte("m"), 440)
	b := documented[0]
	b.Mark = append(long, 'm')
	if err := update(s, b); !errors.Is(err, vault.ErrInvalid) {
		t.Errorf("a mark of 441 bytes: %v", err)
	}
	check("")
	b.Mark = long
	commit(t, s, b)
	check(string(long))
	commit(t, s, documented[1])
	check(string(long))
	commit(t, s, vault.Batch{First: 2, Mark: []byte("empty")}) // commits nothing
	check(string(long))
	commit(t, s, vault.Batch{First: 2, Lines: [][]byte{[]byte("{}")}, Mark: []byte("scrub"), Scrub: true})
	check("scrub")
	s.Close()
	if _, err := s.Mark(t.Context()); !errors.Is(err, vault.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	s = openAt(t, path)
	check("scrub")
}

// The head file is synced with its first mark, then by the first Update a second after a mark. If that fails the store ends.
func TestHeadSync(t *testing.T) {
	path := newPath(t)
	synctest.Test(t, func(t *testing.T) {
		var steps []string
		var broken error
		s, err := file.OpenFaulty(t.Context(), path, func(step string) error {
			steps = append(steps, step)
			if step == "sync head" {
				return broken
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		syncs := func(want int) {
			t.Helper()
			commit(t, s, vault.Batch{First: size(t, s), Lines: [][]byte{[]byte("{}")}, Mark: []byte("m")})
			n := 0
			for _, step := range steps {
				if step == "sync head" {
					n++
				}
			}
			if n != want {
				t.Errorf("%d syncs of the head file, want %d", n, want)
			}
		}
		syncs(1) // the first mark of all
		syncs(1)
		time.Sleep(time.Second)
		syncs(2)
		syncs(2)
		time.Sleep(time.Second)
		broken = syscall.ENOSPC
		for range 2 {
			if err := update(s, vault.Batch{First: 4, Lines: [][]byte{[]byte("{}")}}); err == nil || errors.Is(err, syscall.ENOSPC) {
				t.Errorf("after a failed sync: %v", err)
			}
		}
		if n := size(t, s); n != 4 {
			t.Errorf("%d lines", n)
		}
	})
}
