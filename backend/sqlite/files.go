// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/keyward-go/keyward/backend/internal/disk"
	"github.com/keyward-go/keyward/vault"
)

// Everything this package does to files by itself is in this file. It never opens a live database, -wal or -shm:
// closing any descriptor of one drops every lock that this process holds on it (POSIX), and then another process may
// delete a log that is in use. Existing ones are looked at by Lstat only.

// prepareFiles makes the database at path if there is none, checks it and what lies beside it, and opens the lock file.
func prepareFiles(path string) (lock *disk.Lock, id disk.FileID, err error) {
	if err := disk.CheckFolder(filepath.Dir(path)); err != nil {
		return nil, id, err
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := disk.Create(path, nil); err != nil && !errors.Is(err, fs.ErrExist) { // another Open was first: fine
			return nil, id, err
		}
	}
	if err := disk.CheckFile(path); err != nil {
		return nil, id, err
	}
	for _, side := range []string{"-wal", "-shm", "-journal"} {
		if err := disk.CheckFile(path + side); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, id, err
		}
	}
	if id, err = disk.Identify(path); err != nil {
		return nil, id, err
	}
	lock, err = disk.OpenLock(path + "-lock")
	return lock, id, err
}

// stillThere refuses to go on when the name has come to stand for another file: what is written would be in none that
// anybody finds.
func (s *Store) stillThere() error {
	if err := s.id.At(s.path); err != nil {
		return fmt.Errorf("%w: close and open again: %w", err, vault.ErrTampered)
	}
	return nil
}
