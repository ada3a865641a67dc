// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/keyward-go/keyward/backend/internal/disk"
	"github.com/keyward-go/keyward/vault"
)

// Everything this package does to files by itself is in this file and in package disk. It never opens a live database,
// -wal or -shm: closing any descriptor of one drops every lock that this process holds on it (POSIX), and then another
// process may delete a log that is in use. Existing ones are looked at by Lstat only.

const (
	lockSuffix = "-lock"
	headSuffix = "-head"
)

// openLock checks the folder and the files that are there, and opens the lock file.
func openLock(path string) (*disk.Lock, error) {
	if err := disk.CheckFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	for _, suffix := range []string{"", "-wal", "-shm", "-journal", headSuffix} {
		if err := disk.CheckFile(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return disk.OpenLock(path + lockSuffix)
}

// openFiles opens the head file and identifies the database. What is missing is made under the lock. A new store gets its
// head file first, so that no crash leaves a database without one:
//
//	head file   database
//	none        none       a new store: make both
//	no mark     none       a crash came between the two: make the database
//	a mark      none       the database was deleted: vault.ErrRollback
//	none        bare       nothing was ever committed: make the head file
//	none        not bare   the head file was deleted: it is lost, vault.ErrRollback
//	unreadable  none       vault.ErrTampered
//	unreadable  bare       vault.ErrTampered
//	unreadable  not bare   it is lost, vault.ErrTampered
//
// What is lost is told by Mark, and only vault.Restore goes on.
func (s *Store) openFiles(ctx context.Context) error {
	err := s.findFiles()
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vault.ErrTampered) {
		return err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	noStore := missing(s.path)
	err = s.findHead()
	none := errors.Is(err, fs.ErrNotExist)
	if none || errors.Is(err, vault.ErrTampered) {
		bare := noStore
		if !bare {
			var failed error
			if bare, failed = s.bare(); failed != nil {
				return failed
			}
		}
		switch {
		case !bare:
			s.head, err = disk.LostHead(s.path+headSuffix, err), nil
		case none:
			err = disk.CreateHead(s.path + headSuffix)
		}
	}
	if err != nil {
		return err
	}
	if noStore {
		if err := s.findHead(); err != nil {
			return err
		}
		if err := s.head.Unmarked(s.path); err != nil {
			return err
		}
		if err := disk.Create(s.path, nil); err != nil {
			return err
		}
	}
	return s.findFiles()
}

func missing(path string) bool { return errors.Is(disk.CheckFile(path), fs.ErrNotExist) }

func (s *Store) findFiles() (err error) {
	if err := s.findHead(); err != nil {
		return err
	}
	if err := disk.CheckFile(s.path); err != nil {
		return err
	}
	s.id, err = disk.Identify(s.path)
	return err
}

func (s *Store) findHead() (err error) {
	if s.head == nil {
		s.head, err = disk.OpenHead(s.path + headSuffix)
	}
	return err
}

// bare reports whether nothing was ever committed to the database, so that it needs no head file.
func (s *Store) bare() (bare bool, err error) {
	if _, err := disk.Identify(s.path); err != nil {
		return false, err
	}
	c, err := dial(s.path)
	if err != nil {
		return false, err
	}
	holds, err := c.inspect()
	bare = holds == empty
	if err == nil && !bare {
		bare, err = c.bare()
	}
	return bare, errors.Join(err, c.Close())
}

// stillThere refuses to go on when the name has come to stand for another file: what is written would be in none that
// anybody finds.
func (s *Store) stillThere() error {
	if err := s.id.At(s.path); err != nil {
		return fmt.Errorf("%w: close the store and open it again: %w", err, vault.ErrTampered)
	}
	return nil
}
