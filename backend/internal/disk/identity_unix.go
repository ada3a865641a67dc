// SPDX-License-Identifier: Apache-2.0

//go:build unix

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// FileID is which file stands under a name.
type FileID struct{ dev, ino uint64 }

// Identify answers which file is at path, for At to compare. It opens nothing. A file with a second name (a hard link) is
// refused, since two programs could use it as two files: two logs, two locks. The second name that a crash of Create has
// left is removed.
func Identify(path string) (FileID, error) {
	id, stat, err := identify(path)
	if err == nil && stat.Nlink > 1 {
		if err = dropTemporary(path); err == nil {
			id, stat, err = identify(path)
		}
	}
	if err == nil && stat.Nlink != 1 {
		err = secondName(path)
	}
	return id, err
}

// idOf answers which file is open.
func idOf(f *os.File) (FileID, error) {
	info, err := f.Stat()
	if err != nil {
		return FileID{}, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return FileID{}, errors.ErrUnsupported
	}
	return FileID{uint64(stat.Dev), uint64(stat.Ino)}, nil
}

// At refuses path unless it still stands for the file, under this one name: what is written to another would be found by
// nobody.
func (id FileID) At(path string) error {
	now, stat, err := identify(path)
	switch {
	case err != nil:
		return err
	case now != id:
		return fmt.Errorf("%s is another file than the one that was opened", path)
	case stat.Nlink != 1:
		return secondName(path)
	}
	return nil
}

func secondName(path string) error {
	return fmt.Errorf("%s has a second name (a hard link): remove the other name", path)
}

// identify is os.Lstat with half its cost: it runs in every commit.
func identify(path string) (id FileID, stat syscall.Stat_t, err error) {
	for {
		err := syscall.Lstat(path, &stat)
		switch {
		case err == nil:
			return FileID{uint64(stat.Dev), uint64(stat.Ino)}, stat, nil
		case err != syscall.EINTR:
			return FileID{}, stat, &fs.PathError{Op: "lstat", Path: path, Err: err}
		}
	}
}

// dropTemporary removes the names that Create gives, of the file at path.
func dropTemporary(path string) error {
	file, err := os.Lstat(path)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if match, _ := filepath.Match(temporary, e.Name()); !match {
			continue
		}
		name := filepath.Join(dir, e.Name())
		if info, err := os.Lstat(name); err != nil || !os.SameFile(info, file) {
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
