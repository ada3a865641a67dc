// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"sync/atomic"
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
	lost atomic.Pointer[error] // why there is none, see LostHead; it is nil before file is read
	file *os.File
	id   FileID

	buf    [headSize]byte // for Check and Write
	seen   [headSize]byte // as it was when this handle last read or wrote it
	newest slot           // of seen
	dirty  time.Time      // of the first Write that is not synced; zero if none
	sure   bool           // the first mark is on the disk
	failed error          // of a sync: the kernel may have dropped what it could not write, so no other is tried
}

const (
	firstMark = 2           // the counter of the slot with the first mark
	syncAfter = time.Second // a power cut may take the marks of so long, but no commit
)

// CreateHead makes a head file without a mark, as Create does. Do it before the store that it belongs to becomes visible.
func CreateHead(path string) error {
	var first slot
	content := make([]byte, headSize)
	first.counter = firstMark - 1
	first.encode(content[:slotSize])
	return Create(path, content)
}

// OpenHead opens the head file at path, which must be one that CheckFile and Identify accept. It is fs.ErrNotExist if there
// is none, and vault.ErrTampered if its size is not 1,024 or no slot can be read: then see LostHead.
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

// Check reads the file again, which another process may have written, and refuses what Write could not build on. Call it
// under the lock, before the commit whose mark Write is to store: then nothing has changed yet. It syncs the first mark of
// all, by whichever process, so that a file without a mark means that there was no second commit. Once a sync has failed
// it refuses everything.
func (h *HeadFile) Check() error {
	if err := h.Lost(); err != nil {
		return err
	}
	if h.failed != nil {
		return h.unsynced()
	}
	if err := h.read(&h.buf); err != nil {
		return err
	}
	if h.buf != h.seen || h.newest.counter == 0 {
		newest, err := newestOf(&h.buf)
		if err != nil {
			return fmt.Errorf("%s: %w", h.path, err)
		}
		h.seen, h.newest = h.buf, newest
	}
	if h.newest.counter >= math.MaxUint64-1 { // no store comes so far
		return fmt.Errorf("%s has the last counter there is, so no mark could follow: %w", h.path, vault.ErrTampered)
	}
	if h.newest.counter != firstMark || h.sure {
		return nil
	}
	h.dirty = time.Now() // for another process, perhaps
	if h.Sync() != nil {
		return h.unsynced()
	}
	h.sure = true
	return nil
}

func (h *HeadFile) unsynced() error {
	return fmt.Errorf("%w: close the store and open it again", h.failed)
}

// Write stores the mark, of at most 440 bytes, in the slot that is not the newest. It is not on the disk before Sync. After
// an error the slot may hold anything, and the newest is as it was: Check and Write again.
func (h *HeadFile) Write(mark []byte) error {
	if err := checkMark(mark); err != nil {
		return err
	}
	next := slot{counter: h.newest.counter + 1, place: 1 - h.newest.place, length: len(mark)}
	copy(next.mark[:], mark)
	b, at := h.buf[:slotSize], next.place*slotSize
	next.encode(b)
	if h.dirty.IsZero() {
		h.dirty = time.Now()
	}
	if _, err := h.file.WriteAt(b, int64(at)); err != nil {
		return err
	}
	copy(h.seen[at:], b)
	h.newest = next
	return nil
}

// HasMark reports whether a mark was ever written, by whichever process, as far as the last Check knows.
func (h *HeadFile) HasMark() bool { return h.newest.counter >= firstMark }

// Due reports whether Sync is to be called before anything else is committed: a Write has waited for it for a second, or a
// sync has failed, that of the first mark too, which Sync then says again.
func (h *HeadFile) Due() bool {
	return h.failed != nil || !h.dirty.IsZero() && time.Since(h.dirty) >= syncAfter
}

// Sync makes what was written durable, and makes sure that it lies in the file that others find under the name. (Check does
// not: on Linux a stat makes the write that follows it twice as expensive.) Once it has failed it fails for good. Its error
// is none that passes, a full disk included.
func (h *HeadFile) Sync() error {
	if h.failed == nil && !h.dirty.IsZero() {
		h.dirty = time.Time{}
		err := h.file.Sync()
		if err == nil {
			err = h.id.At(h.path)
		}
		if err != nil {
			h.failed = fmt.Errorf("sync of the head file: %v", err)
		}
	}
	return h.failed
}

// Mark returns the newest mark, nil if none was ever written. It takes no lock: beside a Write it answers the mark before
// or the new one. After Close it answers vault.ErrClosed.
func (h *HeadFile) Mark() ([]byte, error) {
	if err := h.Lost(); err != nil {
		return nil, err
	}
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
	if h.file == nil {
		return nil
	}
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
