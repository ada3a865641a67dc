// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/keyward-go/keyward/vault"
)

// lostHead is a head file that OpenHead has refused: missing, or of that content.
func lostHead(t *testing.T, content []byte) *HeadFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault-head")
	if content != nil {
		if err := Create(path, content); err != nil {
			t.Fatal(err)
		}
	}
	_, err := OpenHead(path)
	if err == nil {
		t.Fatal("it was opened")
	}
	h := LostHead(path, err)
	t.Cleanup(func() { h.Close() })
	return h
}

// What is lost says so, until Renew makes it anew, whichever way it was lost.
func TestHeadLost(t *testing.T) {
	torn := joined(slotBytes(3, 5, "three"), slotBytes(3, 3, "two"))
	for name, c := range map[string]struct {
		content []byte
		want    error
	}{"missing": {nil, vault.ErrRollback}, "zeros": {make([]byte, 1024), vault.ErrTampered}, "short": {torn[:1000], vault.ErrTampered}, "torn": {torn, vault.ErrTampered}} {
		h := lostHead(t, c.content)
		_, mark := h.Mark()
		for _, err := range []error{h.Lost(), h.Check(), mark, h.Ready(vault.Batch{}), h.Ready(vault.Batch{Mark: []byte("m")}), h.Ready(vault.Batch{Renew: true})} {
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), h.path) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if h.Due() || h.Sync() != nil || LostHead(h.path, c.want).Close() != nil {
			t.Errorf("%s: there is something to sync or close", name)
		}
		if got, err := os.ReadFile(h.path); string(got) != string(c.content) || c.content == nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it was changed: %q, %v", name, got, err)
		}
		if err := h.Ready(vault.Batch{Mark: []byte("m"), Renew: true}); err != nil || h.Lost() != nil {
			t.Fatalf("%s: renewed: %v, %v", name, err, h.Lost())
		}
		wantMark(t, h, "")
		wantMark(t, openHead(t, h.path), "")
		write(t, h, "m")
		if err := h.Ready(vault.Batch{Mark: []byte("n"), Renew: true}); err != nil { // there is nothing to renew
			t.Error(err)
		}
		wantMark(t, h, "m")
		wantMark(t, openHead(t, h.path), "m")
	}
}

// Renew leaves what is not a head file that cannot be read.
func TestHeadRenewRefused(t *testing.T) {
	for name, c := range map[string]struct {
		lie  func(path string) error
		want error
		says string
	}{
		"put back":  {CreateHead, vault.ErrConflict, "open it again"},
		"a link":    {func(p string) error { return os.Symlink("elsewhere", p) }, nil, "symbolic link"},
		"two names": {func(p string) error { return errors.Join(os.WriteFile(p, nil, 0o600), os.Link(p, p+"2")) }, nil, "second name"},
		"a pipe":    {func(p string) error { return syscall.Mkfifo(p, 0o600) }, nil, "regular file"},
		"others'":   {func(p string) error { return errors.Join(os.WriteFile(p, nil, 0o600), os.Chmod(p, 0o644)) }, nil, "chmod 600"},
	} {
		h := lostHead(t, nil)
		if err := c.lie(h.path); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(h.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Renew(); err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.Lstat(h.path); err != nil || !os.SameFile(before, after) || h.Lost() == nil {
			t.Errorf("%s: it was replaced", name)
		}
	}
}
