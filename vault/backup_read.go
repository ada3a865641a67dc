// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/keyward-go/keyward/internal/journal"
)

// backupReader reads a backup, a line at a time, and refuses whatever backupWriter did not write.
type backupReader struct {
	ctx  context.Context
	in   *bufio.Reader
	last journal.Sum
	buf  []byte
	n    int            // number of the line, from 1
	part journal.Commit // of the line
}

func newBackupReader(ctx context.Context, r io.Reader) *backupReader {
	return &backupReader{ctx: ctx, in: bufio.NewReaderSize(r, 64<<10)}
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
	if again, _ := json.Marshal(h); err != nil || len(b) != len(id) || h.Backup != backupFormat || string(again) != string(text) {
		return h, id, r.changed("does not begin one")
	}
	return h, vaultID(b), nil
}

// body returns the rows and lines of the next line, which the caller may keep; io.EOF behind the end of a whole backup.
func (r *backupReader) body() (rows []Row, lines [][]byte, err error) {
	text, err := r.next()
	if err != nil {
		return nil, nil, err
	}
	if bytes.HasPrefix(text, []byte(`{"end":`)) {
		if want, _ := json.Marshal(backupEnd{r.n - 1}); !bytes.Equal(want, text) {
			return nil, nil, r.changed("does not close what is before it")
		}
		return nil, nil, r.nothingBehind()
	}
	if r.part.Parse(text) != nil || r.part.Keep != 0 || r.part.Dropped != 0 {
		return nil, nil, r.changed("is malformed")
	}
	for _, f := range r.part.Rows {
		data, err := f.Data.Bytes()
		if f.Data == nil || err != nil {
			return nil, nil, r.changed("has a malformed row")
		}
		rows = append(rows, Row{f.Key, f.Seq, data})
	}
	for _, l := range r.part.Lines {
		line, err := l.Bytes()
		if err != nil {
			return nil, nil, r.changed("has a malformed record")
		}
		lines = append(lines, line)
	}
	return rows, lines, nil
}

func (r *backupReader) nothingBehind() error {
	r.n++
	err := contain(func() error {
		_, err := r.in.ReadByte()
		return err
	})
	switch {
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
			text, sum, ok := r.last.Open(r.buf)
			if !ok {
				return nil, r.changed("does not fit its checksum, or the line before it")
			}
			r.last = sum
			return text, nil
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
			return nil, r.changed("is cut, or missing")
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("read the backup: %w", err)
		}
	}
}
