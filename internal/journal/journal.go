// SPDX-License-Identifier: Apache-2.0

// Package journal is the line of text in which the file store keeps a commit and a backup keeps a part of a vault:
//
//	text ‖ space ‖ checksum ‖ newline
//
// where the checksum is the first 8 bytes, in lower-case hex, of the SHA-256 of the checksum of the line before (nothing
// before the first) and the text. So it finds what is torn, rotted, cut out or moved; that nobody meant to change it is for the
// vault to prove. The text of a commit is JSON without spaces:
//
//	{"keep":N,"dropped":N,"rows":[ROW,…],"lines":[DATUM,…]}
//	ROW   = {"key":STRING,"seq":N,"data":DATUM}, or {"key":STRING} for one that is removed
//	DATUM = the bytes as they are if they are a JSON object without control characters, else a string of their base64
//
// with keep and dropped left out where they are zero. So what keyward writes can be read with grep and jq, and any bytes come
// back as they were.
package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"
)

// Sum is the checksum of a line as it is written; of no line, it is zero.
type Sum [16]byte

// Next is the checksum of the line of a text behind the line of s.
func (s Sum) Next(text []byte) (n Sum) {
	h := sha256.New()
	if s != (Sum{}) {
		h.Write(s[:])
	}
	h.Write(text)
	var full [sha256.Size]byte
	hex.Encode(n[:], h.Sum(full[:0])[:8])
	return n
}

// Seal makes a text, which has no newline, the line behind that of s.
func (s Sum) Seal(text []byte) (line []byte, n Sum) {
	n = s.Next(text)
	return append(append(append(text, ' '), n[:]...), '\n'), n
}

// Open returns the text of a line, given with its newline, if its checksum fits behind s.
func (s Sum) Open(line []byte) (text []byte, n Sum, ok bool) {
	end := len(line) - len(" \n") - len(s)
	if end < 0 || line[end] != ' ' || line[len(line)-1] != '\n' {
		return nil, s, false
	}
	n = s.Next(line[:end])
	return line[:end], n, bytes.Equal(n[:], line[end+1:len(line)-1])
}

// Commit is what one line says.
type Commit struct {
	Keep    int64 // lines of the log below it are dropped; zero drops none
	Dropped int64 // bytes of an incomplete line that stood in this one's place
	Rows    []Row
	Lines   []Datum
}

// Row is a stored row.
type Row struct {
	Key  string
	Seq  int64
	Data Datum // nil: removed
}

// Datum is bytes as they stand in a line: a JSON object as it is, byte for byte, and everything else as a string of base64.
type Datum []byte

// NewDatum returns the datum of some bytes. It may share them.
func NewDatum(data []byte) Datum {
	if isObject(data) {
		return data
	}
	text := make([]byte, 0, base64.StdEncoding.EncodedLen(len(data))+2)
	return append(base64.StdEncoding.AppendEncode(append(text, '"'), data), '"')
}

// ErrText says that a text is none that this package writes.
var ErrText = errors.New("a line of the journal is malformed")

// Bytes returns what NewDatum was given, in a slice of its own.
func (d Datum) Bytes() ([]byte, error) {
	if len(d) > 0 && d[0] == '{' {
		return bytes.Clone(d), nil
	}
	if len(d) < 2 {
		return nil, ErrText
	}
	text := d[1 : len(d)-1]
	data, err := base64.StdEncoding.Strict().AppendDecode([]byte{}, text)
	if err != nil || bytes.ContainsAny(text, "\r\n") { // which the decoder would skip
		return nil, ErrText
	}
	return data, nil
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

// AppendTo writes the text of c in its one spelling.
func (c *Commit) AppendTo(dst []byte) []byte {
	dst = append(dst, '{')
	if c.Keep > 0 {
		dst = append(strconv.AppendInt(append(dst, `"keep":`...), c.Keep, 10), ',')
	}
	if c.Dropped > 0 {
		dst = append(strconv.AppendInt(append(dst, `"dropped":`...), c.Dropped, 10), ',')
	}
	dst = append(dst, `"rows":[`...)
	for i, r := range c.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendRow(dst, r)
	}
	dst = append(dst, `],"lines":[`...)
	for i, l := range c.Lines {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, l...)
	}
	return append(dst, "]}"...)
}

func appendRow(dst []byte, r Row) []byte {
	dst = appendText(append(dst, `{"key":`...), r.Key)
	if r.Data != nil {
		dst = strconv.AppendInt(append(dst, `,"seq":`...), r.Seq, 10)
		dst = append(append(dst, `,"data":`...), r.Data...)
	}
	return append(dst, '}')
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
