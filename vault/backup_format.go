// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/keyward-go/keyward/internal/journal"
)

// A backup is journal lines: one that names format and vault, those that hold rows and lines of the log, and one that
// closes it. See the package comment.
const (
	backupFormat  = 1
	backupAtOnce  = 1 << 20 // bytes of rows and lines after which a line is written
	maxBackupLine = 4 << 20 // a value and what was gathered before it, in base64, is less
)

type backupHeader struct {
	Backup int    `json:"backup"`
	Vault  string `json:"vault"`
	Mark   []byte `json:"mark"` // of the head at which the copy began: it proves where the log begins
}

type backupEnd struct {
	End int `json:"end"` // number of lines before this one
}

// backupWriter writes a backup. It holds about one line at a time.
type backupWriter struct {
	ctx  context.Context
	w    io.Writer
	last journal.Sum
	n    int            // lines written
	part journal.Commit // of the next line
	size int            // of part, about
	buf  []byte
}

func newBackupWriter(ctx context.Context, w io.Writer) *backupWriter {
	return &backupWriter{ctx: ctx, w: w}
}

func (o *backupWriter) header(h backupHeader) error { return o.object(h) }

func (o *backupWriter) row(r Row) error {
	o.part.Rows = append(o.part.Rows, journal.Row{Key: r.Key, Seq: r.Seq, Data: journal.NewDatum(r.Data)})
	return o.full(len(r.Key) + len(r.Data))
}

func (o *backupWriter) line(line []byte) error {
	o.part.Lines = append(o.part.Lines, journal.NewDatum(line))
	return o.full(len(line))
}

func (o *backupWriter) full(more int) error {
	const around = 64 // names, numbers and commas
	if o.size += more + around; o.size < backupAtOnce {
		return nil
	}
	return o.flush()
}

// flush writes what was gathered as one line.
func (o *backupWriter) flush() error {
	if o.size == 0 {
		return nil
	}
	o.buf = o.part.AppendTo(o.buf[:0])
	clear(o.part.Rows)
	clear(o.part.Lines)
	o.part, o.size = journal.Commit{Rows: o.part.Rows[:0], Lines: o.part.Lines[:0]}, 0
	return o.write()
}

// end closes the backup.
func (o *backupWriter) end() error {
	if err := o.flush(); err != nil {
		return err
	}
	return o.object(backupEnd{o.n})
}

func (o *backupWriter) object(x any) (err error) {
	if o.buf, err = json.Marshal(x); err != nil {
		return err
	}
	return o.write()
}

// write ends the text in buf as a line and writes it.
func (o *backupWriter) write() error {
	if err := o.ctx.Err(); err != nil {
		return err
	}
	o.buf, o.last = o.last.Seal(o.buf)
	if len(o.buf) > maxBackupLine {
		return fmt.Errorf("%w: a row or line of the store is longer than keyward writes any", ErrTampered)
	}
	o.n++
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
