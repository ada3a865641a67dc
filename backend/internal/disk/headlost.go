// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/keyward-go/keyward/vault"
)

// LostHead stands for the head file of a store that is not empty, if OpenHead has answered fs.ErrNotExist or
// vault.ErrTampered. Lost, Mark and Check answer why, vault.ErrRollback or vault.ErrTampered, until Renew.
func LostHead(path string, err error) *HeadFile {
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: its head file %s is missing, so nobody can tell whether its newest records are: it was deleted, or "+
			"the store was moved, copied or put back without it; put the head file back beside it, or restore from a backup with "+
			"vault.Restore, which without a backup accepts the store as it is", vault.ErrRollback, path)
	}
	h := &HeadFile{path: path}
	h.lost.Store(&err)
	return h
}

// Lost is why there is no head file, nil if there is one.
func (h *HeadFile) Lost() error {
	if err := h.lost.Load(); err != nil {
		return *err
	}
	return nil
}

// Renew makes a lost head file anew, without a mark, as CreateHead does; what cannot be read is removed. A crash
// before the Write that follows leaves a file that is missing or has no mark, beside a store that is as it was or has one more
// commit. If a good one has come to lie there, Renew leaves it: vault.ErrConflict.
func (h *HeadFile) Renew() error {
	found, err := OpenHead(h.path)
	switch {
	case err == nil:
		return errors.Join(fmt.Errorf("%w: the head file %s is there again: close the store and open it again", vault.ErrConflict, h.path), found.Close())
	case errors.Is(err, vault.ErrTampered):
		if err := os.Remove(h.path); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := CreateHead(h.path); err != nil {
		return err
	}
	if found, err = OpenHead(h.path); err != nil {
		return err
	}
	h.file, h.id, h.seen, h.newest = found.file, found.id, found.seen, found.newest
	h.lost.Store(nil)
	return nil
}

// Ready finds, before the commit of b and under the lock, whether its mark can be written behind it. A batch without a mark
// is held to the same. Where the head file is lost nothing is committed but what makes it anew.
func (h *HeadFile) Ready(b vault.Batch) error {
	if err := checkMark(b.Mark); err != nil {
		return err
	}
	switch lost := h.Lost(); {
	case lost == nil:
		return h.Check()
	case b.Renew && len(b.Mark) > 0:
		return h.Renew()
	default:
		return lost
	}
}

// Unmarked refuses to begin a store, whose file is path, if its head file has a mark.
func (h *HeadFile) Unmarked(path string) error {
	mark, err := h.Mark()
	if err == nil && mark != nil {
		err = h.StoreMissing(path)
	}
	return err
}

// StoreMissing is the error for a store that is empty or missing, but whose head file has a mark.
func (h *HeadFile) StoreMissing(path string) error {
	return fmt.Errorf("%w: %s is missing or empty, but its head file has seen records: put the store back, or restore "+
		"from a backup with vault.Restore; to begin a new vault here, move %s away first", vault.ErrRollback, path, h.path)
}
