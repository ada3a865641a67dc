// SPDX-License-Identifier: Apache-2.0

//go:build unix

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
