// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// HeadFile is a small file beside a store that holds the newest mark. Marks are what a vault says of its newest head; the
// vault makes and checks them. See the package comment for the format.
//
// Mark may be called at any time and by any process; the other methods by one goroutine at a time, which holds the lock of
// the store.
type HeadFile struct {
	path string
	file *os.File
	id   FileID

	buf    [headSize]byte // for Check and Write
	seen   [headSize]byte // as it was when this handle last read or wrote it
	newest slot           // of seen
	dirty  time.Time      // of the first Write that is not synced; zero if none
	failed error          // of a sync: the kernel may have dropped what it could not write, so no other is tried
}

// CreateHead makes a head file without a mark, as Create does. Do it before the store that it belongs to becomes visible.
func CreateHead(path string) error {
	var first slot
	content := make([]byte, headSize)
	first.counter = 1
	first.encode(content[:slotSize])
	return Create(path, content)
}

// OpenHead opens the head file at path, which must be one that CheckFile and Identify accept. It is fs.ErrNotExist if there
// is none (then see HeadMissing), and vault.ErrTampered if its size is not 1,024 or no slot can be read.
func OpenHead(path string) (*HeadFile, error) {
	id, err := Identify(path)
	if err != nil {
		return nil, err
	}
	f, err := Open(path, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	h := &HeadFile{path: path, file: f, id: id}
	info, err := f.Stat()
	if err == nil && info.Size() != headSize {
		err = h.wrongSize()
	}
	if err == nil {
		err = id.At(path)
	}
	if err == nil {
		err = h.Check()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return h, nil
}

// HeadMissing is the error for a store that is not empty and has no head file at path.
func HeadMissing(path string) error {
	return fmt.Errorf("%w: its head file %s is missing, so nobody can tell whether its newest records are: it was deleted, or "+
		"the store was moved, copied or put back without it; put the head file back beside it, or restore from a backup with "+
		"vault.Restore", vault.ErrRollback, path)
}

// StoreMissing is the error for an empty or missing store at path whose head file, head, holds a mark.
func StoreMissing(path, head string) error {
	return fmt.Errorf("%w: %s is missing or empty, but its head file has seen records: put the store back, or restore "+
		"from a backup with vault.Restore; to begin a new vault here, move %s away first", vault.ErrRollback, path, head)
}

// Check reads the file again, which another process may have written, and refuses what Write could not build on. Call it
// under the lock, before the commit whose mark Write is to store: then nothing has changed yet.
func (h *HeadFile) Check() error {
	if err := h.read(&h.buf); err != nil || h.buf == h.seen && h.newest.counter != 0 {
		return err
	}
	newest, err := newestOf(&h.buf)
	if err != nil {
		return fmt.Errorf("%s: %w", h.path, err)
	}
	h.seen, h.newest = h.buf, newest
	return nil
}

// Write stores the mark, of at most 440 bytes, in the slot that is not the newest. It is not on the disk before Sync, but for
// the first, which is synced at once: a head file without a mark beside a store with records is one that was exchanged. After
// an error the slot may hold anything, and the newest is as it was: Check and Write again.
func (h *HeadFile) Write(mark []byte) error {
	if len(mark) > MarkMax {
		return fmt.Errorf("a mark of %d bytes, more than %d: %w", len(mark), MarkMax, vault.ErrInvalid)
	}
	next := slot{counter: h.newest.counter + 1, place: 1 - h.newest.place, length: len(mark)}
	copy(next.mark[:], mark)
	b, at := h.buf[:slotSize], next.place*slotSize
	next.encode(b)
	isFirst := h.newest.length == 0
	if h.dirty.IsZero() {
		h.dirty = time.Now()
	}
	if _, err := h.file.WriteAt(b, int64(at)); err != nil {
		return err
	}
	copy(h.seen[at:], b)
	h.newest = next
	if isFirst {
		return h.Sync()
	}
	return nil
}

// Due reports whether a Write has waited for Sync as long as age.
func (h *HeadFile) Due(age time.Duration) bool {
	return !h.dirty.IsZero() && time.Since(h.dirty) >= age
}

// Sync makes what was written durable, and makes sure that it lies in the file that others find under the name. (Check does
// not: on Linux a stat makes the write that follows it twice as expensive.) Once it has failed it fails for good.
func (h *HeadFile) Sync() error {
	if h.failed == nil && !h.dirty.IsZero() {
		h.dirty = time.Time{}
		if h.failed = h.file.Sync(); h.failed == nil {
			h.failed = h.id.At(h.path)
		}
	}
	return h.failed
}

// Mark returns the newest mark, nil if none was ever written. It takes no lock: beside a Write it answers the mark before
// or the new one. After Close it answers vault.ErrClosed.
func (h *HeadFile) Mark() ([]byte, error) {
	// Whoever reads while two writes pass may see both slots half written; the next reading will not.
	var content [headSize]byte
	for try := 1; ; try++ {
		if err := h.read(&content); err != nil {
			return nil, err
		}
		newest, err := newestOf(&content)
		switch {
		case err == nil && newest.length == 0:
			return nil, nil
		case err == nil:
			return newest.mark[:newest.length:newest.length], nil
		case try == 8:
			return nil, fmt.Errorf("%s: %w", h.path, err)
		}
	}
}

// Close syncs what is not synced yet, unless a sync has failed before, and closes the file.
func (h *HeadFile) Close() error {
	return errors.Join(h.Sync(), h.file.Close())
}

func (h *HeadFile) read(content *[headSize]byte) error {
	_, err := h.file.ReadAt(content[:], 0)
	switch err {
	case nil:
		return nil
	case io.EOF:
		return h.wrongSize()
	}
	if errors.Is(err, fs.ErrClosed) {
		return vault.ErrClosed
	}
	return err
}

func (h *HeadFile) wrongSize() error {
	return fmt.Errorf("%s does not have %d bytes: %w", h.path, headSize, vault.ErrTampered)
}
