// SPDX-License-Identifier: Apache-2.0

//go:build unix

package kms_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/vault"
)

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestMissingKeyFile(t *testing.T) {
	dir := t.TempDir()
	sealed := seal(t, kms.KeyFile(filepath.Join(dir, "first")))
	empty := t.TempDir()
	for _, path := range []string{filepath.Join(empty, "root.key"), filepath.Join(empty, "no", "root.key"), "", "/", empty + "/", empty + "/."} {
		if _, err := kms.KeyFile(path).DecryptWithContext(t.Context(), sealed, data); !errors.Is(err, vault.ErrNoKey) {
			t.Errorf("%q: %v", path, err)
		}
	}
	if got := names(t, empty); len(got) != 0 {
		t.Errorf("opening made %q", got)
	}
	if _, err := kms.KeyFile(filepath.Join(empty, "no", "root.key")).EncryptWithContext(t.Context(), plaintext, data); !errors.Is(err, vault.ErrNoKey) {
		t.Errorf("sealed without a folder: %v", err)
	}
}

func TestKeyFileIsPrivateFromTheFirstInstant(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	for _, mask := range []int{0, 0o022, 0o777} {
		syscall.Umask(0)
		dir := filepath.Join(t.TempDir(), "d")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		syscall.Umask(mask)
		stop, watched := make(chan struct{}), make(chan string, 1)
		go func() { // reports a file that others could read, at any time
			found := ""
			for {
				entries, _ := os.ReadDir(dir)
				for _, e := range entries {
					if info, err := e.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
						found = info.Mode().String() + " " + e.Name()
					}
				}
				select {
				case <-stop:
					watched <- found
					return
				default:
				}
			}
		}()
		r := kms.KeyFile(filepath.Join(dir, "root.key"))
		sealed, err := r.EncryptWithContext(t.Context(), plaintext, data)
		close(stop)
		if found := <-watched; found != "" {
			t.Errorf("umask %#o: %s", mask, found)
		}
		if err != nil {
			t.Fatalf("umask %#o: %v", mask, err)
		}
		if got := names(t, dir); len(got) != 1 || got[0] != "root.key" {
			t.Errorf("umask %#o: left %q", mask, got)
		}
		if info, err := os.Lstat(filepath.Join(dir, "root.key")); err != nil || info.Mode() != 0o600 {
			t.Errorf("umask %#o: %v, %v", mask, info.Mode(), err)
		}
		if p, err := r.DecryptWithContext(t.Context(), sealed, data); err != nil || !bytes.Equal(p, plaintext) {
			t.Errorf("umask %#o: open: %v", mask, err)
		}
	}
}

func TestUnsafeKeyFile(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	sealed := seal(t, kms.KeyFile(good))
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	write := func(content []byte, mode fs.FileMode) func(string) error {
		return func(path string) error {
			return errors.Join(os.WriteFile(path, content, 0o600), os.Chmod(path, mode))
		}
	}
	cases := []struct {
		name, says string
		make       func(path string) error
	}{
		{"symlink", "symbolic link", func(p string) error { return os.Symlink(good, p) }},
		{"dangling symlink", "symbolic link", func(p string) error { return os.Symlink(filepath.Join(dir, "nowhere"), p) }},
		{"folder", "regular file", func(p string) error { return os.Mkdir(p, 0o700) }},
		{"pipe", "regular file", func(p string) error { return syscall.Mkfifo(p, 0o600) }},
		{"group may read", "chmod 600", write(text, 0o640)},
		{"others may read", "chmod 600", write(text, 0o604)},
		{"group may write", "chmod 600", write(text, 0o620)},
		{"empty", "backup", write(nil, 0o600)},
		{"half", "backup", write(text[:len(text)/2], 0o600)},
		{"raw bytes", "backup", write(make([]byte, 32), 0o600)},
		{"longer", "backup", write(append(bytes.Clone(text), '\n'), 0o600)},
		{"two keys", "backup", write(append(bytes.Clone(text), text...), 0o600)},
		{"carriage return", "backup", write(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), 0o600)},
		{"one letter wrong", "backup", write(bytes.Replace(text, text[20:21], []byte{text[20] ^ 1}, 1), 0o600)},
		{"huge", "backup", write(make([]byte, 1<<20), 0o600)},
	}
	if os.Geteuid() == 0 {
		cases = append(cases, struct {
			name, says string
			make       func(path string) error
		}{"foreign owner", "chown 0", func(p string) error { return errors.Join(write(text, 0o600)(p), os.Chown(p, 4242, 4242)) }})
	}
	for i, c := range cases {
		path := filepath.Join(dir, "case-"+string(rune('a'+i)))
		if err := c.make(path); err != nil {
			t.Fatal(err)
		}
		before := names(t, dir)
		_, errSeal := kms.KeyFile(path).EncryptWithContext(t.Context(), plaintext, data)
		_, errOpen := kms.KeyFile(path).DecryptWithContext(t.Context(), sealed, data)
		for _, err := range []error{errSeal, errOpen} {
			if !errors.Is(err, vault.ErrNoKey) || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v; it should say %q", c.name, err, c.says)
			} else if strings.Contains(err.Error(), string(text[8:24])) {
				t.Errorf("%s: the error quotes the file", c.name)
			}
		}
		if after := names(t, dir); len(after) != len(before) {
			t.Errorf("%s: %q became %q", c.name, before, after)
		}
	}
	if err := os.WriteFile(good, text[:len(text)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := kms.KeyFile(good).DecryptWithContext(t.Context(), sealed, data); err != nil {
		t.Errorf("without its newline: %v", err)
	}
}

func TestRaceToMakeOneKey(t *testing.T) {
	for range 20 {
		dir := t.TempDir()
		path := filepath.Join(dir, "root.key")
		var wg sync.WaitGroup
		sealed := make([][]byte, 8)
		for i := range sealed {
			wg.Go(func() {
				b, err := kms.KeyFile(path).EncryptWithContext(t.Context(), plaintext, data)
				if err != nil {
					t.Error(err)
				}
				sealed[i] = b
			})
		}
		wg.Wait()
		if got := names(t, dir); len(got) != 1 {
			t.Fatalf("left %q", got)
		}
		for _, b := range sealed {
			if p, err := kms.KeyFile(path).DecryptWithContext(t.Context(), b, data); err != nil || !bytes.Equal(p, plaintext) {
				t.Fatalf("one of eight does not open: %v", err)
			}
		}
	}
}

// Somebody who may write to the folder swaps the file for a link, for another key and for nothing, over and over. Each
// open either has the right key or refuses.
func TestSwappedKeyFile(t *testing.T) {
	dir := t.TempDir()
	path, good, evil := filepath.Join(dir, "root.key"), filepath.Join(dir, "good"), newKeyFile(t, filepath.Join(dir, "evil"))
	sealed := seal(t, kms.KeyFile(good))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			for _, next := range []func(string) error{
				func(p string) error { return os.Link(good, p) },
				func(p string) error { return os.Symlink(good, p) },
				func(p string) error { return os.Link(evil, p) },
				func(p string) error { return syscall.Mkfifo(p, 0o600) },
			} {
				if next(path+".new") == nil {
					os.Rename(path+".new", path)
				}
				os.Remove(path + ".new")
			}
			os.Remove(path)
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	opened := 0
	for range 3000 {
		p, err := kms.KeyFile(path).DecryptWithContext(t.Context(), sealed, data)
		switch {
		case err == nil && bytes.Equal(p, plaintext):
			opened++
		case errors.Is(err, vault.ErrNoKey), errors.Is(err, vault.ErrWrongKey):
		default:
			t.Errorf("%q, %v", p, err)
		}
	}
	close(stop)
	wg.Wait()
	t.Logf("%d of 3000 had the right key", opened)
}
