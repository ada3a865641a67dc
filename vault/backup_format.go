// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/keyward-go/keyward/internal/journal"
)

// A backup is journal lines: one that names format and vault, those that hold rows and lines of the log, and one that
// closes it with the SHA-256 of all bytes before. See the package comment.
const (
	backupFormat  = 1
	backupAtOnce  = 1 << 20 // bytes of rows and lines after which a line is written
	maxBackupLine = 4 << 20 // a value and what was gathered before it, in base64, is less
)

type backupHeader struct {
	Backup int    `json:"backup"`
	Vault  string `json:"vault"`
	First  int64  `json:"first"` // number of the first line of the log
}

type backupEnd struct {
	End string `json:"end"` // SHA-256 of all bytes before this line
}

// backupWriter writes a backup. It holds about one line at a time.
type backupWriter struct {
	ctx   context.Context
	w     io.Writer
	sum   hash.Hash
	rows  []journal.Row
	lines [][]byte
	size  int // of rows and lines
	buf   []byte
}

func newBackupWriter(ctx context.Context, w io.Writer) *backupWriter {
	return &backupWriter{ctx: ctx, w: w, sum: sha256.New()}
}

func (o *backupWriter) header(h backupHeader) error { return o.object(h) }

func (o *backupWriter) row(r Row) error {
	o.rows = append(o.rows, journal.Row(r))
	o.size += len(r.Key) + len(r.Data) + 64
	return o.full()
}

func (o *backupWriter) line(line []byte) error {
	o.lines = append(o.lines, line)
	o.size += len(line) + 4
	return o.full()
}

func (o *backupWriter) full() error {
	if o.size < backupAtOnce {
		return nil
	}
	return o.flush()
}

// flush writes what was gathered as one line.
func (o *backupWriter) flush() error {
	if o.size == 0 {
		return nil
	}
	o.buf = journal.Append(o.buf[:0], o.rows, o.lines)
	clear(o.rows)
	clear(o.lines)
	o.rows, o.lines, o.size = o.rows[:0], o.lines[:0], 0
	return o.write()
}

// end closes the backup.
func (o *backupWriter) end() error {
	if err := o.flush(); err != nil {
		return err
	}
	return o.object(backupEnd{hex.EncodeToString(o.sum.Sum(nil))})
}

func (o *backupWriter) object(x any) error {
	text, err := json.Marshal(x)
	if err != nil {
		return err
	}
	o.buf = journal.Seal(append(o.buf[:0], text...), 0)
	return o.write()
}

func (o *backupWriter) write() error {
	if err := o.ctx.Err(); err != nil {
		return err
	}
	if len(o.buf) > maxBackupLine {
		return fmt.Errorf("%w: a row or line of the store is longer than keyward writes any", ErrTampered)
	}
	o.sum.Write(o.buf)
	return contain(func() error { // the writer is the caller's
		n, err := o.w.Write(o.buf)
		if err == nil && n != len(o.buf) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return fmt.Errorf("write the backup: %w", err)
		}
		return nil
	})
}

// backupReader reads a backup, a line at a time, and refuses whatever backupWriter did not write.
type backupReader struct {
	ctx context.Context
	in  *bufio.Reader
	sum hash.Hash
	buf []byte
	n   int // lines read
}

func newBackupReader(ctx context.Context, r io.Reader) *backupReader {
	return &backupReader{ctx: ctx, in: bufio.NewReaderSize(r, 64<<10), sum: sha256.New()}
}

// changed is the error of a backup that is not as it was written.
func (r *backupReader) changed(how string) error {
	return fmt.Errorf("%w: line %d of the backup %s: use another copy", ErrTampered, r.n, how)
}

func (r *backupReader) header() (h backupHeader, id vaultID, err error) {
	text, err := r.next()
	if err != nil {
		return h, id, err
	}
	if json.Unmarshal(text, &h) == nil && h.Backup > backupFormat {
		return h, id, fmt.Errorf("%w: the backup has format %d, this program knows %d: use a newer keyward", ErrInvalid, h.Backup, backupFormat)
	}
	b, err := hex.DecodeString(h.Vault)
	if again, _ := json.Marshal(h); err != nil || len(b) != len(id) || h.Backup != backupFormat || h.First < 0 || string(again) != string(text) {
		return h, id, r.changed("does not begin one")
	}
	return h, vaultID(b), nil
}

// body returns the rows and lines of the next line, valid until the one after; io.EOF behind the end of a whole backup.
func (r *backupReader) body() (rows []Row, lines [][]byte, err error) {
	before := r.sum.Sum(nil)
	text, err := r.next()
	if err != nil {
		return nil, nil, err
	}
	if bytes.HasPrefix(text, []byte(`{"end":`)) {
		if want, _ := json.Marshal(backupEnd{hex.EncodeToString(before)}); !bytes.Equal(want, text) {
			return nil, nil, r.changed("does not close what is before it")
		}
		return nil, nil, r.nothingBehind()
	}
	found, lines, err := journal.Parse(text)
	if err != nil {
		return nil, nil, r.changed("is malformed")
	}
	for _, f := range found {
		rows = append(rows, Row(f))
	}
	return rows, lines, nil
}

func (r *backupReader) nothingBehind() error {
	r.n++
	switch _, err := r.in.ReadByte(); {
	case err == nil:
		return r.changed("is behind its end")
	case err != io.EOF:
		return fmt.Errorf("read the backup: %w", err)
	}
	return io.EOF
}

// next returns the text of the next line, valid until the one after.
func (r *backupReader) next() (text []byte, err error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	r.n++
	r.buf = r.buf[:0]
	for {
		var part []byte
		err := contain(func() (err error) { // the reader is the caller's
			part, err = r.in.ReadSlice('\n')
			return err
		})
		r.buf = append(r.buf, part...)
		switch {
		case len(r.buf) > maxBackupLine:
			return nil, r.changed("is too long")
		case err == nil:
			if text, err = journal.Open(r.buf); err != nil {
				return nil, r.changed("has a wrong checksum")
			}
			r.sum.Write(r.buf)
			return text, nil
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
			return nil, r.changed("is cut, or missing")
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("read the backup: %w", err)
		}
	}
}
