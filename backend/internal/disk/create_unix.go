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

// temporary is the pattern of the names under which files are made.
const temporary = ".keyward-*.new"

// Create makes the file at path with content. It is 0600 from the first instant and never there in part: it is written and
// synced under a name of its own, then linked to path, which replaces nothing. If path exists, the error is fs.ErrExist.
// When it returns, also with fs.ErrExist, the folder is synced: the name is on the disk. The folder must pass CheckFolder.
//
// A crash may leave a file .keyward-*.new, which nothing needs. If it is a second name of path, Identify removes it.
func Create(path string, content []byte) error {
	if path == "" || os.IsPathSeparator(path[len(path)-1]) {
		return fmt.Errorf("%q does not name a file", path)
	}
	dir := filepath.Dir(path)
	if err := CheckFolder(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, temporary) // O_EXCL, 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(f.Chmod(0o600), err, f.Sync(), f.Close()) // Chmod: a umask may take bits away
	if err == nil {
		if err = os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%w (the file system must know hard links)", err)
		}
	}
	if e := os.Remove(f.Name()); !errors.Is(e, fs.ErrNotExist) { // Identify of another process may have been first
		err = errors.Join(err, e)
	}
	return errors.Join(err, SyncDir(dir))
}

// SyncDir makes the names in dir durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

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
