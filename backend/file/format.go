// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"github.com/keyward-go/keyward/internal/journal"
	"github.com/keyward-go/keyward/vault"
)

const (
	format    = 1
	maxLine   = 16 << 20                                   // bytes of a journal line; a batch of 4 MiB takes 6 at most
	ourHeader = `{"keyward":"journal","format":1,"first":` // the header up to its number
	anyHeader = `{"keyward":"journal","format":`
)

func appendHeader(dst []byte, first int64) []byte {
	return append(strconv.AppendInt(append(dst, ourHeader...), first, 10), '}')
}

// parseHeader answers the number of the first line that the journal holds.
func parseHeader(text []byte) (first int64, err error) {
	if rest, ok := bytes.CutPrefix(text, []byte(ourHeader)); ok {
		if first, err = strconv.ParseInt(string(bytes.TrimSuffix(rest, []byte("}"))), 10, 64); err == nil && first >= 0 && first <= journal.MaxNumber && bytes.Equal(text, appendHeader(nil, first)) {
			return first, nil
		}
	}
	if rest, ok := bytes.CutPrefix(text, []byte(anyHeader)); ok {
		digits, _, _ := bytes.Cut(rest, []byte(","))
		if n, err := strconv.ParseUint(string(digits), 10, 32); err == nil && n > format {
			return 0, fmt.Errorf("the journal has format %d, this program knows %d: use a newer keyward: %w", n, format, errors.ErrUnsupported)
		}
	}
	return 0, fmt.Errorf("the file is no journal of keyward: %w", vault.ErrTampered)
}

// parse reads a line of the journal into c, as journal.Commit.Parse does.
func parse(c *journal.Commit, text []byte) error {
	if c.Parse(text) != nil {
		return errNotCommit
	}
	return nil
}

// bytesOf is what a datum stands for.
func bytesOf(d journal.Datum) ([]byte, error) {
	b, err := d.Bytes()
	if err != nil {
		return nil, errNotCommit
	}
	return b, nil
}

var errNotCommit = fmt.Errorf("a line of the journal has a good checksum and is no commit: %w", vault.ErrTampered)

// commitOf is the commit of a batch. It shares the slices of b.
func commitOf(b vault.Batch) *journal.Commit {
	c := &journal.Commit{Keep: b.Keep, Rows: make([]journal.Row, len(b.Rows)), Lines: make([]journal.Datum, len(b.Lines))}
	for i, r := range b.Rows {
		c.Rows[i] = journal.Row{Key: r.Key, Seq: r.Seq}
		if r.Data != nil {
			c.Rows[i].Data = journal.NewDatum(r.Data)
		}
	}
	for i, l := range b.Lines {
		c.Lines[i] = journal.NewDatum(l)
	}
	return c
}

// rowSize is about how many bytes a row takes in the journal.
func rowSize(r vault.Row) int64 {
	n := len(r.Data)
	if n > 0 && r.Data[0] != '{' {
		n = base64.StdEncoding.EncodedLen(n)
	}
	return int64(len(r.Key) + n + len(`{"key":"","seq":1000,"data":""},`))
}
