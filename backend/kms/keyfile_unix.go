// SPDX-License-Identifier: Apache-2.0

//go:build unix

package kms

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// readKey returns the content of the file, of which it reads no byte before it knows that it is a file that nobody else
// could read or write. It works inside the opened folder, so that a folder swapped under it changes nothing.
func readKey(path string, durable bool) ([]byte, error) {
	dir, name, err := openDir(path)
	if err != nil {
		return nil, err
	}
	defer dir.Close()

	seen, err := dir.Lstat(name)
	if err != nil {
		return nil, err
	}
	if err := checkFile(seen); err != nil {
		return nil, err
	}
	f, err := dir.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // O_NONBLOCK: a pipe put there now must not hang us
	if err != nil {
		return nil, err
	}
	defer f.Close()
	opened, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(seen, opened) {
		return nil, errors.New("it was replaced while it was opened; see who writes to its folder")
	}
	if err := checkFile(opened); err != nil {
		return nil, err
	}
	if err := checkLocal(f); err != nil {
		return nil, err
	}
	if durable {
		if err := errors.Join(f.Sync(), syncDir(dir)); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, int64(keyTextLen)+1))
}

func checkFile(info fs.FileInfo) error {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return errors.New("it is a symbolic link; name the file itself")
	case !info.Mode().IsRegular():
		return errors.New("it is not a plain file")
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("its mode %#o lets others than its owner in; if nobody else read it: chmod 600", info.Mode().Perm())
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("it does not belong to the user of this process; if its content is yours: chown %d", os.Geteuid())
	}
	return nil
}

// makeKey writes a new key under a temporary name, flushes it and links it to its own name, which fails if that exists:
// no crash leaves half a key, and no key is ever replaced. The reader that follows flushes the folder.
func makeKey(path string) error {
	dir, name, err := openDir(path)
	if err != nil {
		return err
	}
	defer dir.Close()

	temp := ".keyward-" + rand.Text() + ".tmp"
	f, err := dir.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer dir.Remove(temp)
	if err := errors.Join(checkLocal(f), writeKey(f), f.Close()); err != nil {
		return err
	}
	if err := dir.Link(temp, name); err != nil && !errors.Is(err, fs.ErrExist) { // exists: another made it first
		return err
	}
	return nil
}

func writeKey(f *os.File) error {
	key := make([]byte, keyLen)
	rand.Read(key) // never fails
	text := formatKey(key)
	defer clear(key)
	defer clear(text)
	if err := f.Chmod(0o600); err != nil { // a umask can only have taken bits away from the owner
		return err
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	return f.Sync()
}

func openDir(path string) (dir *os.Root, name string, err error) {
	folder, name := filepath.Split(path)
	if name == "" || name == "." || name == ".." {
		return nil, "", errors.New("the path does not name a file")
	}
	if folder == "" {
		folder = "."
	}
	dir, err = os.OpenRoot(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("its folder does not exist; make it with mode 700: %w", err)
	}
	return dir, name, err
}

func syncDir(dir *os.Root) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
