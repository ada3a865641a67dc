// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/keyward-go/keyward/backend/internal/disk"
	"github.com/keyward-go/keyward/internal/journal"
	"github.com/keyward-go/keyward/vault"
)

// Open opens the store in the journal at path, and makes it, with mode 0600, if there is none; the folder must exist. It
// reads the whole journal, and ends early when ctx does.
//
// One handle has the store at a time: while another process, or another handle of this one, has it open, Open answers
// vault.ErrBusy at once. It refuses, with an error that says the fix, what is not safe: a symbolic link, a second name (a
// hard link), a file of another user or one that others can read, a folder that everyone can write to, a network file
// system. A file that is no journal or is damaged is vault.ErrTampered, a head file whose journal is gone or empty is
// vault.ErrRollback; one of a newer keyward and every file on Windows is errors.ErrUnsupported. A journal that is not empty
// and whose head file is missing or cannot be read is opened, for vault.Restore alone: see Mark.
//
// A last line that is incomplete or damaged is left out: it is what a crash leaves of a commit that was never
// acknowledged. It stays in the file until the next commit, whose line takes its place and notes its length. The vault
// finds out, by its head file, if it was acknowledged after all. A whole one counts; Open syncs the journal, so that what the
// store shows is on the disk.
func Open(ctx context.Context, path string) (*Store, error) {
	s, err := open(ctx, path, nil)
	if err != nil {
		return nil, fmt.Errorf("file: open %s: %w", path, err)
	}
	return s, nil
}

func open(ctx context.Context, path string, fail func(step string) error) (_ *Store, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if path == "" {
		return nil, errors.New("no path")
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	// 1. Nothing is made beside what is not safe.
	if err := disk.CheckFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := disk.CheckFile(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	s := &Store{path: path, turn: make(chan struct{}, 1), done: make(chan struct{}), fail: fail}

	// 2. The lock, until Close.
	if s.lock, err = disk.OpenLock(path + "-lock"); err != nil {
		return nil, err
	}
	free, err := s.lock.TryLock()
	if err == nil && !free {
		err = fmt.Errorf("another process, or another handle of this one, has it open; close that first, or use backend/sqlite, which several may open: %w", vault.ErrBusy)
	}
	// 3. The files.
	if err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context) error {
	if err := removeNew(s.path); err != nil {
		return err
	}
	head, lost := disk.OpenHead(s.path + headSuffix)
	none := errors.Is(lost, fs.ErrNotExist)
	if lost != nil && !none && !errors.Is(lost, vault.ErrTampered) {
		return lost
	}
	s.head = head // nil if it is lost

	if err := disk.CheckFile(s.path); errors.Is(err, fs.ErrNotExist) {
		if lost != nil && !none {
			return lost
		}
		if err := s.create(); err != nil {
			return err
		}
	}
	if err := s.openJournal(ctx); err != nil {
		return err
	}
	empty := s.size == 0 && len(s.rows.Page("", 1)) == 0
	switch {
	case s.head != nil && empty:
		return s.head.Unmarked(s.path)
	case s.head != nil:
		return nil
	case !empty:
		s.head = disk.LostHead(s.path+headSuffix, lost)
		return nil
	case none:
		return s.makeHead()
	}
	return lost
}

// create makes an empty journal, whose head file is there before it.
func (s *Store) create() error {
	if s.head == nil {
		if err := s.makeHead(); err != nil {
			return err
		}
	}
	if err := s.head.Unmarked(s.path); err != nil {
		return err
	}
	header, _ := journal.Sum{}.Seal(appendHeader(nil, 0))
	return disk.Create(s.path, header)
}

func (s *Store) makeHead() (err error) {
	if err = disk.CreateHead(s.path + headSuffix); err == nil {
		s.head, err = disk.OpenHead(s.path + headSuffix)
	}
	return err
}

// removeNew removes what a compaction that did not end has left.
func removeNew(path string) error {
	err := os.Remove(path + newSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
