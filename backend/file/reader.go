// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/keyward-go/keyward/internal/journal"
	"github.com/keyward-go/keyward/vault"
)

// errTorn: the journal ends with a line that was not written whole.
var errTorn = errors.New("the last line is incomplete")

// reader reads a journal line by line and checks each. It never holds more than one line.
type reader struct {
	r    *bufio.Reader
	off  int64       // of the next line
	last journal.Sum // of the line before
	long []byte
}

// newReader reads from m to end, in pieces of buffer bytes.
func newReader(f io.ReaderAt, m mark, end int64, buffer int) *reader {
	return &reader{r: bufio.NewReaderSize(io.NewSectionReader(f, m.off, end-m.off), buffer), off: m.off, last: m.last}
}

// next returns the JSON of the next line, which is overwritten by the call after. The end is io.EOF. A last line that
// is incomplete, or whole but damaged, is errTorn: what a crash leaves of one write. Damage before it is
// vault.ErrTampered, since there was a sync behind each line before the next was written.
func (r *reader) next() (text []byte, err error) {
	line, err := r.line()
	if err != nil {
		return nil, err
	}
	if text, n, ok := r.last.Open(line); ok {
		r.last = n
		r.off += int64(len(line))
		return text, nil
	}
	switch _, err := r.r.Peek(1); err {
	case nil:
		return nil, fmt.Errorf("the line at byte %d of the journal does not fit its checksum, or the line before it: %w", r.off, vault.ErrTampered)
	case io.EOF:
		return nil, errTorn
	default:
		return nil, err
	}
}

// line returns the next line with its newline.
func (r *reader) line() ([]byte, error) {
	line, err := r.r.ReadSlice('\n')
	if err == nil {
		return line, nil
	}
	r.long = r.long[:0]
	for err == bufio.ErrBufferFull {
		if r.long = append(r.long, line...); len(r.long) > maxLine {
			return nil, fmt.Errorf("the line at byte %d of the journal is longer than any: %w", r.off, vault.ErrTampered)
		}
		line, err = r.r.ReadSlice('\n')
	}
	r.long = append(r.long, line...)
	switch {
	case err == io.EOF && len(r.long) > 0:
		return nil, errTorn
	case err != nil:
		return nil, err
	}
	return r.long, nil
}
