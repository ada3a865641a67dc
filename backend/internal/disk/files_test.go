// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func put(path string, mode fs.FileMode) error {
	return errors.Join(os.WriteFile(path, []byte("content"), 0o600), os.Chmod(path, mode))
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// What another user could read, change or have put there is refused, and the error names the file and the fix.
func TestRefusedFiles(t *testing.T) {
	type refusal struct {
		name, says string // no text: taken
		make       func(path string) error
	}
	cases := []refusal{
		{"private", "", func(p string) error { return put(p, 0o600) }},
		{"private, read-only", "", func(p string) error { return put(p, 0o400) }},
		{"group can read", "chmod 600", func(p string) error { return put(p, 0o640) }},
		{"group can write", "chmod 600", func(p string) error { return put(p, 0o620) }},
		{"others can read", "chmod 600", func(p string) error { return put(p, 0o604) }},
		{"others can execute", "chmod 600", func(p string) error { return put(p, 0o601) }},
		{"symbolic link", "symbolic link", func(p string) error { return errors.Join(put(p+"2", 0o600), os.Symlink(p+"2", p)) }},
		{"dangling link", "symbolic link", func(p string) error { return os.Symlink(p+"2", p) }},
		{"folder", "not a regular file", func(p string) error { return os.Mkdir(p, 0o700) }},
		{"pipe", "not a regular file", func(p string) error { return syscall.Mkfifo(p, 0o600) }},
	}
	if os.Geteuid() == 0 {
		cases = append(cases, refusal{"foreign owner", "chown 0 ", func(p string) error {
			return errors.Join(put(p, 0o600), os.Chown(p, 4242, 4242))
		}})
	} else {
		t.Log("not root: without the case of a foreign owner")
	}
	for _, c := range cases {
		path := filepath.Join(t.TempDir(), "file")
		if err := c.make(path); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path, os.O_RDONLY)
		if err == nil {
			f.Close()
		}
		for _, err := range []error{CheckFile(path), err} {
			if c.says == "" && err != nil {
				t.Errorf("%s: %v", c.name, err)
			} else if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path)) {
				t.Errorf("%s: the error %v names neither the path nor the fix", c.name, err)
			}
		}
	}
	missing := filepath.Join(t.TempDir(), "file")
	if _, err := Open(missing, os.O_RDONLY); !errors.Is(err, fs.ErrNotExist) || !errors.Is(CheckFile(missing), fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// Somebody who may write to the folder swaps the file for others, over and over: what Open gives is private and regular.
func TestOpenSwapped(t *testing.T) {
	dir := t.TempDir()
	path, good, open := filepath.Join(dir, "file"), filepath.Join(dir, "good"), filepath.Join(dir, "open")
	if err := errors.Join(put(good, 0o600), put(open, 0o644)); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			for _, next := range []func(string) error{
				func(p string) error { return os.Link(good, p) },
				func(p string) error { return os.Link(open, p) },
				func(p string) error { return os.Symlink(open, p) },
				func(p string) error { return syscall.Mkfifo(p, 0o600) },
			} {
				if next(path+".new") == nil {
					os.Rename(path+".new", path)
				}
				os.Remove(path + ".new")
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	want, err := os.Lstat(good)
	if err != nil {
		t.Fatal(err)
	}
	opened := 0
	tries := 0
	for ; tries < 3000 || opened == 0 && tries < 1_000_000; tries++ {
		f, err := Open(path, os.O_RDONLY)
		if err != nil {
			continue
		}
		opened++
		if info, err := f.Stat(); err != nil || !os.SameFile(info, want) {
			t.Errorf("opened %v, %v", info, err)
		}
		f.Close()
	}
	close(stop)
	wg.Wait()
	if opened == 0 {
		t.Error("never opened")
	}
	t.Logf("opened %d times of %d", opened, tries)
}

func TestCreate(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o277, 0o777} {
		dir := t.TempDir()
		path := filepath.Join(dir, "file")
		old := syscall.Umask(umask)
		err := Create(path, []byte("content"))
		again := Create(path, []byte("other"))
		syscall.Umask(old)
		if err != nil || !errors.Is(again, fs.ErrExist) {
			t.Fatalf("umask %03o: %v, then %v", umask, err, again)
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("umask %03o: %v, %v", umask, info.Mode(), err)
		}
		if content, err := os.ReadFile(path); err != nil || string(content) != "content" {
			t.Errorf("%q, %v", content, err)
		}
		if got := names(t, dir); got != "file" {
			t.Errorf("umask %03o: left %s", umask, got)
		}
	}
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		"":                                     "name a file",
		t.TempDir() + "/":                      "name a file",
		filepath.Join(t.TempDir(), "no", "no"): "mkdir",
		filepath.Join(open, "file"):            "chmod o-w",
	} {
		if err := Create(path, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", path, err)
		}
	}
	if got := names(t, open); got != "" {
		t.Errorf("left %s", got)
	}
	if err := errors.Join(os.Chmod(open, 0o777|fs.ModeSticky), Create(filepath.Join(open, "file"), nil)); err != nil {
		t.Error(err) // like /tmp: others cannot replace it
	}
}

// A file with a second name is two files for some; the one that a crash in Create leaves is removed, and no other.
func TestIdentify(t *testing.T) {
	dir := t.TempDir()
	path, left, foreign := filepath.Join(dir, "file"), filepath.Join(dir, ".keyward-1.new"), filepath.Join(dir, ".keyward-2.new")
	if err := errors.Join(Create(path, nil), os.Link(path, left), put(foreign, 0o600)); err != nil {
		t.Fatal(err)
	}
	id, err := Identify(path)
	if err != nil || names(t, dir) != ".keyward-2.new file" {
		t.Fatalf("%v, left %s", err, names(t, dir))
	}
	if err := id.At(path); err != nil {
		t.Error(err)
	}
	if err := os.Link(path, path+"2"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "2"} {
		if _, err := Identify(name); err == nil || !strings.Contains(err.Error(), name+" has a second name") {
			t.Errorf("a second name: %v", err)
		}
	}
	if err := id.At(path); err == nil {
		t.Error("a second name was not noticed")
	}
	if err := errors.Join(os.Remove(path+"2"), id.At(path)); err != nil {
		t.Error(err)
	}
	if err := errors.Join(Create(path+"2", nil), os.Rename(path+"2", path)); err != nil {
		t.Fatal(err)
	}
	if err := id.At(path); err == nil {
		t.Error("another file was not noticed")
	}
	os.Remove(path)
	if err := id.At(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// Of several that create one file at once one wins, and no Identify meets a second name.
func TestCreateRace(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "file")
		var wg sync.WaitGroup
		won := make(chan bool, 8)
		for range 8 {
			wg.Go(func() {
				err := Create(path, []byte("content"))
				won <- err == nil
				if _, e := Identify(path); e != nil || err != nil && !errors.Is(err, fs.ErrExist) {
					t.Errorf("create %v, identify %v", err, e)
				}
			})
		}
		wg.Wait()
		wins := 0
		for range 8 {
			if <-won {
				wins++
			}
		}
		if wins != 1 {
			t.Errorf("%d have made the file", wins)
		}
	}
}
