// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package file_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/backend/internal/childtest"
	"github.com/keyward-go/keyward/vault"
)

// The second handle is told who has the store, in this process and in another, and comes in when the first is gone.
func TestOneHandle(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path)
	refused := func() {
		t.Helper()
		_, err := file.Open(t.Context(), path)
		if !errors.Is(err, vault.ErrBusy) || !strings.Contains(err.Error(), "another process, or another handle of this one, has it open") {
			t.Errorf("a second handle: %v", err)
		}
	}
	refused()
	commit(t, s, documented[0]) // the first goes on
	s.Close()

	c := childtest.Start(t, "hold", path)
	if got := c.Line(t); got != "held" {
		t.Fatal(got)
	}
	before := files(t, strings.TrimSuffix(path, "/vault.journal"))
	refused()
	if after := files(t, strings.TrimSuffix(path, "/vault.journal")); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the refused handle left %q", after)
	}
	c.Kill() // the kernel gives the lock back
	if n := size(t, openAt(t, path)); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
}

// Somebody removes the lock file of an open store, as one does with what looks left over, and another process opens it.
// What is acknowledged, by either, is there.
func TestRemovedLockFile(t *testing.T) {
	path := newPath(t)
	a := openAt(t, path)
	batch := func(key string) vault.Batch {
		return vault.Batch{Rows: []vault.Row{{Key: key, Data: []byte(`{}`)}}, Lines: [][]byte{[]byte(key)}}
	}
	acknowledged := 0
	err := a.Update(t.Context(), 0, func([]vault.Row) (vault.Batch, error) {
		if err := os.Remove(path + "-lock"); err != nil {
			t.Fatal(err)
		}
		b := openAt(t, path)
		if b.Update(t.Context(), 0, func([]vault.Row) (vault.Batch, error) { return batch("b"), nil }) == nil {
			acknowledged++
		}
		b.Close()
		return batch("a"), nil
	})
	if err == nil {
		acknowledged++
	} else if !errors.Is(err, vault.ErrTampered) || !strings.Contains(err.Error(), "-lock") {
		t.Errorf("the error does not say what happened: %v", err)
	}
	a.Close()
	if rows, err := openAt(t, path).Rows(t.Context(), "", 10); err != nil || len(rows) != acknowledged {
		t.Errorf("%d commits were acknowledged, there are %d: %v", acknowledged, len(rows), err)
	}
}
