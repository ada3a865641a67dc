// SPDX-License-Identifier: Apache-2.0

package file

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/keyward-go/keyward/vault"
)

const (
	format    = 1
	maxLine   = 16 << 20 // bytes of a journal line; a batch of 4 MiB takes 6 at most
	maxKey    = 1024
	newest    = `{"keyward":"journal","format":1,"first":` // the header up to its number
	anyHeader = `{"keyward":"journal","format":`
)

// commit is what one line of the journal says.
type commit struct {
	keep    int64 // lines below it are dropped; zero drops none
	dropped int64 // bytes of an incomplete line that stood in this one's place
	rows    []row
	lines   []datum
}

type row struct {
	key  string
	seq  int64
	data datum // nil: removed
}

// datum is bytes as they stand in the journal: a JSON object as it is, byte for byte, and everything else as a string of
// base64.
type datum []byte

// commitOf is the commit of a batch. It shares the slices of b.
func commitOf(b vault.Batch) *commit {
	c := &commit{keep: b.Keep, rows: make([]row, len(b.Rows)), lines: make([]datum, len(b.Lines))}
	for i, r := range b.Rows {
		c.rows[i] = row{r.Key, r.Seq, nil}
		if r.Data != nil {
			c.rows[i].data = newDatum(r.Data)
		}
	}
	for i, l := range b.Lines {
		c.lines[i] = newDatum(l)
	}
	return c
}

func appendHeader(dst []byte, first int64) []byte {
	return append(strconv.AppendInt(append(dst, newest...), first, 10), '}')
}

// appendTo writes c in its one spelling, without checksum and newline.
func (c *commit) appendTo(dst []byte) []byte {
	dst = append(dst, '{')
	if c.keep > 0 {
		dst = append(strconv.AppendInt(append(dst, `"keep":`...), c.keep, 10), ',')
	}
	if c.dropped > 0 {
		dst = append(strconv.AppendInt(append(dst, `"dropped":`...), c.dropped, 10), ',')
	}
	dst = append(dst, `"rows":[`...)
	for i, r := range c.rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendRow(dst, r)
	}
	dst = append(dst, `],"lines":[`...)
	for i, l := range c.lines {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, l...)
	}
	return append(dst, "]}"...)
}

func appendRow(dst []byte, r row) []byte {
	dst = appendText(append(dst, `{"key":`...), r.key)
	if r.data != nil {
		dst = strconv.AppendInt(append(dst, `,"seq":`...), r.seq, 10)
		dst = append(append(dst, `,"data":`...), r.data...)
	}
	return append(dst, '}')
}

func newDatum(data []byte) datum {
	if isObject(data) {
		return data
	}
	text := make([]byte, 0, base64.StdEncoding.EncodedLen(len(data))+2)
	return append(base64.StdEncoding.AppendEncode(append(text, '"'), data), '"')
}

// isObject reports whether data is a JSON object that may stand in a line of text.
func isObject(data []byte) bool {
	if len(data) < 2 || data[0] != '{' || data[len(data)-1] != '}' {
		return false
	}
	for _, b := range data {
		if b < ' ' || b == 0x7f {
			return false
		}
	}
	return utf8.Valid(data) && json.Valid(data)
}

// appendText writes a JSON string.
func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		if b := s[i]; b < ' ' || b >= 0x7f || b == '"' || b == '\\' {
			quoted, _ := json.Marshal(s) // of a string: never an error
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// rowSize is about how many bytes a row takes in the journal.
func rowSize(r vault.Row) int64 {
	n := len(r.Data)
	if n > 0 && r.Data[0] != '{' {
		n = base64.StdEncoding.EncodedLen(n)
	}
	return int64(len(r.Key) + n + len(`{"key":"","seq":1000,"data":""},`))
}
