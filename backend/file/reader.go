// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/keyward-go/keyward/vault"
)

// sum is a checksum as it is written: the first 8 bytes of SHA-256 over the checksum of the line before, as it is
// written (nothing before the header), and the line up to its last space.
type sum [16]byte

const sumTail = 1 + len(sum{}) // behind the JSON of a line: space, checksum

func (s sum) next(body []byte) (n sum) {
	h := sha256.New()
	if s != (sum{}) {
		h.Write(s[:])
	}
	h.Write(body)
	var full [sha256.Size]byte
	hex.Encode(n[:], h.Sum(full[:0])[:8])
	return n
}

// seal ends the line whose JSON is body.
func (s sum) seal(body []byte) (line []byte, n sum) {
	n = s.next(body)
	return append(append(append(body, ' '), n[:]...), '\n'), n
}

// errTorn: the journal ends with a line that was not written whole.
var errTorn = errors.New("the last line is incomplete")

// reader reads a journal line by line and checks each. It never holds more than one line.
type reader struct {
	r    *bufio.Reader
	off  int64 // of the next line
	last sum   // of the line before
	long []byte
}

// newReader reads from m to end, in pieces of buffer bytes.
func newReader(f io.ReaderAt, m mark, end int64, buffer int) *reader {
	return &reader{r: bufio.NewReaderSize(io.NewSectionReader(f, m.off, end-m.off), buffer), off: m.off, last: m.last}
}

// next returns the JSON of the next line, which is overwritten by the call after. The end is io.EOF. A last line that
// is incomplete, or whole but damaged, is errTorn: what a crash leaves of one write. Damage before it is
// vault.ErrTampered, since there was a sync behind each line before the next was written.
func (r *reader) next() (body []byte, err error) {
	line, err := r.line()
	if err != nil {
		return nil, err
	}
	at := len(line) - 1 - sumTail
	if at >= 0 && line[at] == ' ' {
		if n := r.last.next(line[:at]); bytes.Equal(n[:], line[at+1:len(line)-1]) {
			r.last = n
			r.off += int64(len(line))
			return line[:at], nil
		}
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
