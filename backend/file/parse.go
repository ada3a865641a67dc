// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/keyward-go/keyward/vault"
)

// parseHeader answers the number of the first line that the journal holds.
func parseHeader(body []byte) (first int64, err error) {
	c := cursor{rest: body}
	if !c.take(anyHeader) {
		return 0, fmt.Errorf("the file is no journal of keyward: %w", vault.ErrTampered)
	}
	n, ok := c.number()
	if ok && n > format {
		return 0, fmt.Errorf("the journal has format %d, this program knows %d: use a newer keyward: %w", n, format, errors.ErrUnsupported)
	}
	c = cursor{rest: body}
	if c.take(newest) {
		if first, ok = c.number(); ok && c.take("}") && len(c.rest) == 0 {
			return first, nil
		}
	}
	return 0, fmt.Errorf("the journal's header is not one: %w", vault.ErrTampered)
}

// parse reads a line of the journal into c, whose slices are used again. What it reads lies in body.
//
// Of a JSON object it finds the end and checks no more: the checksum says that this package wrote it, and the vault's
// MACs say whether it may be believed.
func (c *commit) parse(body []byte) error {
	*c = commit{rows: c.rows[:0], lines: c.lines[:0]}
	if !(&cursor{rest: body}).commit(c) {
		return errNotCommit
	}
	return nil
}

var errNotCommit = fmt.Errorf("a line of the journal has a good checksum and is no commit: %w", vault.ErrTampered)

// cursor is what is left to read. Its methods answer false where it does not begin as they want.
type cursor struct{ rest []byte }

func (c *cursor) take(text string) bool {
	if len(c.rest) < len(text) || string(c.rest[:len(text)]) != text {
		return false
	}
	c.rest = c.rest[len(text):]
	return true
}

func (c *cursor) commit(to *commit) (ok bool) {
	if !c.take("{") {
		return false
	}
	for _, f := range []struct {
		name string
		to   *int64
	}{{`"keep":`, &to.keep}, {`"dropped":`, &to.dropped}} {
		if c.take(f.name) {
			if *f.to, ok = c.number(); !ok || *f.to == 0 || !c.take(",") {
				return false
			}
		}
	}
	return c.take(`"rows":`) && c.array(func() bool {
		r, ok := c.row()
		to.rows = append(to.rows, r)
		return ok
	}) && c.take(`,"lines":`) && c.array(func() bool {
		l, ok := c.datum()
		to.lines = append(to.lines, l)
		return ok
	}) && c.take("}") && len(c.rest) == 0
}

func (c *cursor) array(element func() bool) bool {
	if !c.take("[") {
		return false
	}
	for first := true; !c.take("]"); first = false {
		if !first && !c.take(",") || !element() {
			return false
		}
	}
	return true
}

func (c *cursor) row() (r row, ok bool) {
	if !c.take(`{"key":`) {
		return r, false
	}
	if r.key, ok = c.text(); !ok || !goodKey(r.key) {
		return r, false
	}
	if c.take(`,"seq":`) {
		if r.seq, ok = c.number(); !ok || !c.take(`,"data":`) {
			return r, false
		}
		if r.data, ok = c.datum(); !ok {
			return r, false
		}
	}
	return r, c.take("}")
}

func goodKey(s string) bool {
	return len(s) >= 1 && len(s) <= maxKey && strings.IndexByte(s, 0) < 0 && utf8.ValidString(s)
}

// number reads digits, at most 18, without zeros in front.
func (c *cursor) number() (n int64, ok bool) {
	i := 0
	for i < len(c.rest) && i <= 18 && c.rest[i] >= '0' && c.rest[i] <= '9' {
		n = n*10 + int64(c.rest[i]-'0')
		i++
	}
	if i == 0 || i > 18 || c.rest[0] == '0' && i > 1 {
		return 0, false
	}
	c.rest = c.rest[i:]
	return n, true
}

// text reads a JSON string.
func (c *cursor) text() (s string, ok bool) {
	end := stringEnd(c.rest)
	if end < 0 {
		return "", false
	}
	literal := c.rest[:end]
	c.rest = c.rest[end:]
	if inner := literal[1 : end-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), true
	}
	return s, json.Unmarshal(literal, &s) == nil
}

// datum reads an object or a string, and stays where it is.
func (c *cursor) datum() (d datum, ok bool) {
	end := stringEnd(c.rest)
	if end < 0 && len(c.rest) > 0 && c.rest[0] == '{' {
		end = objectEnd(c.rest)
	}
	if end < 0 {
		return nil, false
	}
	d, c.rest = c.rest[:end:end], c.rest[end:]
	return d, true
}

// bytes returns what newDatum was given, in a slice of its own.
func (d datum) bytes() ([]byte, error) {
	if d[0] == '{' {
		return bytes.Clone(d), nil
	}
	text := d[1 : len(d)-1]
	data, err := base64.StdEncoding.Strict().AppendDecode([]byte{}, text)
	if err != nil || bytes.IndexByte(text, '\r') >= 0 { // which the decoder would skip
		return nil, errNotCommit
	}
	return data, nil
}

// stringEnd is the length of the JSON string that b begins with, -1 if there is none.
func stringEnd(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return -1
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

// objectEnd is the length of the JSON object that b begins with, -1 if it does not end.
func objectEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			n := stringEnd(b[i:])
			if n < 0 {
				return -1
			}
			i += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}
