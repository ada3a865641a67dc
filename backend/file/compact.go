// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/keyward-go/keyward/backend/internal/disk"
	"github.com/keyward-go/keyward/internal/journal"
	"github.com/keyward-go/keyward/vault"
)

const newSuffix = "-new" // of the journal that compaction writes

// rewrite is compaction and commit in one: it writes a journal without what is superseded, b as its last line, and the
// rename that puts it in place is what commits b. So nothing that b removes is in any file from then on, and before it
// nothing has changed.
func (s *Store) rewrite(b vault.Batch) (err error) {
	old := s.j
	j, err := s.writeNew(b)
	if err == nil {
		err = s.install(j)
	}
	if err != nil {
		if j != nil {
			j.file.Close()
		}
		removeNew(s.path) // an Open does it, if this fails
		if s.poisoned.Load() == nil && full(err) {
			err = fmt.Errorf("%w (%v)", syscall.ENOSPC, err)
		}
		return err
	}
	s.mu.Lock()
	s.j = j
	s.apply(b)
	j.wasted = 0
	s.mu.Unlock()
	old.close() // of a file that is nowhere any more
	return nil
}

// writeNew writes and syncs the new journal under its own name.
func (s *Store) writeNew(b vault.Batch) (j *segment, err error) {
	j = &segment{}
	err = s.step("create", func() (err error) {
		j.file, err = os.OpenFile(s.path+newSuffix, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) // O_EXCL follows no link
		return err
	})
	if err != nil {
		return nil, err
	}
	if err = j.file.Chmod(0o600); err != nil { // a umask may take bits away
		return j, err
	}
	if j.id, err = disk.Identify(s.path + newSuffix); err != nil {
		return j, err
	}
	if err = s.step("write new", func() error { return s.copyTo(j, b) }); err != nil {
		return j, err
	}
	if err = s.step("sync new", j.sync); err != nil {
		return j, s.poison(err)
	}
	return j, nil
}

// copyTo writes what stands after b: every line of the log that is kept, byte for byte, and every row where it was
// written last.
func (s *Store) copyTo(j *segment, b vault.Batch) error {
	w := &writer{j: j, out: bufio.NewWriterSize(j.file, readBuffer), first: max(s.first, b.Keep), live: s.liveAfter(b)}
	if err := w.line(appendHeader(nil, w.first)); err != nil {
		return err
	}
	r := newReader(s.j.file, mark{}, s.j.end, readBuffer)
	header, err := r.next()
	if err == nil {
		w.next, err = parseHeader(header)
	}
	var c journal.Commit
	for err == nil {
		var body []byte
		if body, err = r.next(); err != nil {
			break
		}
		if err = parse(&c, body); err == nil {
			err = w.commit(&c)
		}
	}
	if err == errTorn || err == io.EOF && r.last != s.j.last { // also if all its checksums fit
		err = fmt.Errorf("the journal is not as this handle left it: %w", vault.ErrTampered)
	}
	if err != io.EOF {
		return err
	}
	last := commitOf(b)
	last.Dropped = s.j.dropped
	if err := w.commit(last); err != nil {
		return err
	}
	return w.out.Flush()
}

// liveAfter reports of a row whether it is what stands once b is applied. It compares the data too: rows may be written
// twice by lines of one number.
func (s *Store) liveAfter(b vault.Batch) func(r journal.Row) (bool, error) {
	after := make(map[string]vault.Row, len(b.Rows))
	for _, r := range b.Rows {
		after[r.Key] = r
	}
	return func(r journal.Row) (bool, error) {
		if r.Data == nil {
			return false, nil
		}
		now, ok := after[r.Key]
		if !ok {
			now, ok = s.rows.Get(r.Key)
		}
		if !ok || now.Data == nil || now.Seq != r.Seq {
			return false, nil
		}
		data, err := bytesOf(r.Data)
		return bytes.Equal(data, now.Data), err
	}
}

// writer writes the lines of a new journal.
type writer struct {
	j     *segment
	out   *bufio.Writer
	buf   []byte
	first int64 // lowest line that is kept
	next  int64 // number of the next line of the log that is read
	live  func(journal.Row) (bool, error)
}

// commit writes what is left of c, if anything is.
func (w *writer) commit(c *journal.Commit) error {
	left := journal.Commit{Dropped: c.Dropped}
	for _, r := range c.Rows {
		live, err := w.live(r)
		if err != nil {
			return err
		}
		if live {
			left.Rows = append(left.Rows, r)
		}
	}
	w.next += int64(len(c.Lines))
	left.Lines = c.Lines[min(int64(len(c.Lines)), max(0, w.first-(w.next-int64(len(c.Lines))))):]
	if len(left.Rows) == 0 && len(left.Lines) == 0 && left.Dropped == 0 {
		return nil
	}
	w.j.begin(max(w.first, w.next-int64(len(left.Lines))))
	w.buf = left.AppendTo(w.buf[:0])
	return w.line(w.buf)
}

func (w *writer) line(body []byte) error {
	line, last := w.j.last.Seal(body)
	if len(line) > maxLine {
		return errTooLong
	}
	w.buf = line[:0]
	w.j.last = last
	w.j.end += int64(len(line))
	_, err := w.out.Write(line)
	return err
}

// install renames the new journal over the old one.
func (s *Store) install(j *segment) error {
	err := s.step("rename", func() error { return os.Rename(s.path+newSuffix, s.path) })
	if err != nil && s.j.id.At(s.path) != nil {
		return s.poison(err) // whichever it is now
	}
	if err != nil {
		return err
	}
	if err = s.step("sync folder", s.syncFolder); err != nil {
		return s.poison(fmt.Errorf("the folder: %w", err))
	}
	return nil
}

func (s *Store) syncFolder() error { return disk.SyncDir(filepath.Dir(s.path)) }
