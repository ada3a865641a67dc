// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

const (
	// MaxParts is how many rows a commit may have, and how many lines. In memory each takes many times what "{}," takes in
	// a text that somebody made up.
	MaxParts = 1 << 16

	// MaxNumber is the highest number that a text may hold.
	MaxNumber = 1e18 - 1
)

// Parse reads the text of a commit into c, whose slices are used again. What it reads lies in text.
//
// Of a JSON object it finds the end and checks no more: the checksum says who wrote it, and the vault's MACs say whether it
// may be believed.
func (c *Commit) Parse(text []byte) error {
	*c = Commit{Rows: c.Rows[:0], Lines: c.Lines[:0]}
	if !(&cursor{rest: text}).commit(c) {
		return ErrText
	}
	return nil
}

// cursor is what is left to read. Its methods answer false where it does not begin as they want.
type cursor struct{ rest []byte }

func (c *cursor) take(text string) bool {
	if len(c.rest) < len(text) || string(c.rest[:len(text)]) != text {
		return false
	}
	c.rest = c.rest[len(text):]
	return true
}

func (c *cursor) commit(to *Commit) (ok bool) {
	if !c.take("{") {
		return false
	}
	for _, f := range []struct {
		name string
		to   *int64
	}{{`"keep":`, &to.Keep}, {`"dropped":`, &to.Dropped}} {
		if c.take(f.name) {
			if *f.to, ok = c.number(); !ok || *f.to == 0 || !c.take(",") {
				return false
			}
		}
	}
	return c.take(`"rows":`) && c.array(func() bool {
		r, ok := c.row()
		to.Rows = append(to.Rows, r)
		return ok
	}) && c.take(`,"lines":`) && c.array(func() bool {
		l, ok := c.datum()
		to.Lines = append(to.Lines, l)
		return ok
	}) && c.take("}") && len(c.rest) == 0
}

func (c *cursor) array(element func() bool) bool {
	if !c.take("[") {
		return false
	}
	for n := 0; !c.take("]"); n++ {
		if n == MaxParts || n > 0 && !c.take(",") || !element() {
			return false
		}
	}
	return true
}

func (c *cursor) row() (r Row, ok bool) {
	if !c.take(`{"key":`) {
		return r, false
	}
	if r.Key, ok = c.text(); !ok || !GoodKey(r.Key) {
		return r, false
	}
	if c.take(`,"seq":`) {
		if r.Seq, ok = c.number(); !ok || !c.take(`,"data":`) {
			return r, false
		}
		if r.Data, ok = c.datum(); !ok {
			return r, false
		}
	}
	return r, c.take("}")
}

// GoodKey reports whether s may be the key of a row: 1 to 1,024 bytes of UTF-8 without NUL.
func GoodKey(s string) bool {
	return len(s) >= 1 && len(s) <= 1024 && strings.IndexByte(s, 0) < 0 && utf8.ValidString(s)
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
func (c *cursor) datum() (d Datum, ok bool) {
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
