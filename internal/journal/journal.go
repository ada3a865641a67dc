// SPDX-License-Identifier: Apache-2.0

// Package journal is the line of text in which the file store keeps a commit and a backup keeps a part of a vault. A line is
//
//	text ‖ space ‖ checksum ‖ newline
//
// where the checksum is the first 8 bytes of the SHA-256 of the text, in lower-case hex. It finds what was torn or rotted;
// that nobody meant to change the text is for the vault to prove. The text of rows and lines of a log is
//
//	{"rows":[ROW,…],"lines":[LINE,…]}
//	ROW  = {"key":KEY,"seq":N,"data":DATA}
//	DATA = null for a row that is removed, else as LINE
//	LINE = the bytes as they are if they are a JSON object without a newline, else a JSON string of their base64
//
// without spaces. In KEY, ", \ and U+0000–001F are written \u00xx in lower-case hex, and nothing else is escaped. So what
// keyward writes can be read with grep and jq, and any bytes come back as they were.
package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Row is a stored row; its fields are those of vault.Row.
type Row struct {
	Key  string
	Seq  int64
	Data []byte // nil: removed
}

const sumHex = 16

var (
	errSum  = errors.New("journal: the checksum of a line does not fit")
	errText = errors.New("journal: a line is malformed")
)

// Append appends the line of some rows and lines of the log.
func Append(dst []byte, rows []Row, lines [][]byte) []byte {
	start := len(dst)
	dst = append(dst, `{"rows":[`...)
	for i, r := range rows {
		dst = comma(dst, i)
		dst = appendKey(append(dst, `{"key":`...), r.Key)
		dst = strconv.AppendInt(append(dst, `,"seq":`...), r.Seq, 10)
		dst = append(dst, `,"data":`...)
		if r.Data == nil {
			dst = append(dst, "null}"...)
			continue
		}
		dst = append(appendBytes(dst, r.Data), '}')
	}
	dst = append(dst, `],"lines":[`...)
	for i, l := range lines {
		dst = appendBytes(comma(dst, i), l)
	}
	return Seal(append(dst, "]}"...), start)
}

// Seal makes the text dst[start:], which has no newline, a line.
func Seal(dst []byte, start int) []byte {
	sum := sha256.Sum256(dst[start:])
	dst = hex.AppendEncode(append(dst, ' '), sum[:sumHex/2])
	return append(dst, '\n')
}

// Open returns the text of a line, which ends with its newline, if the checksum fits.
func Open(line []byte) (text []byte, err error) {
	end := len(line) - sumHex - 2
	if end < 0 || line[end] != ' ' || line[len(line)-1] != '\n' {
		return nil, errText
	}
	sum := sha256.Sum256(line[:end])
	if hex.EncodeToString(sum[:sumHex/2]) != string(line[end+1:len(line)-1]) {
		return nil, errSum
	}
	return line[:end], nil
}

// Parse reads the text that Append wrote. What it returns shares the bytes of text where it can.
func Parse(text []byte) (rows []Row, lines [][]byte, err error) {
	p := parser{rest: text}
	p.need(`{"rows":[`)
	for i := 0; !p.bad && !p.take(`]`); i++ {
		p.comma(i)
		var r Row
		p.need(`{"key":`)
		r.Key = p.key()
		p.need(`,"seq":`)
		r.Seq = p.number()
		p.need(`,"data":`)
		if !p.take(`null`) {
			r.Data = p.bytes()
		}
		p.need(`}`)
		rows = append(rows, r)
	}
	p.need(`,"lines":[`)
	for i := 0; !p.bad && !p.take(`]`); i++ {
		p.comma(i)
		lines = append(lines, p.bytes())
	}
	p.need(`}`)
	if p.bad || len(p.rest) > 0 {
		return nil, nil, errText
	}
	return rows, lines, nil
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	if isObject(b) {
		return append(dst, b...)
	}
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}

// isObject reports whether b can stand in a line as it is.
func isObject(b []byte) bool {
	return len(b) > 1 && b[0] == '{' && b[len(b)-1] == '}' && bytes.IndexByte(b, '\n') < 0 && json.Valid(b)
}

func appendKey(dst []byte, key string) []byte {
	dst = append(dst, '"')
	for i := range len(key) {
		c := key[i]
		if c < 0x20 || c == '"' || c == '\\' {
			dst = hex.AppendEncode(append(dst, `\u00`...), []byte{c})
			continue
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// parser walks along a text. Once bad, it stays so and answers zero values.
type parser struct {
	rest []byte
	bad  bool
}

func (p *parser) take(s string) bool {
	if p.bad || len(p.rest) < len(s) || string(p.rest[:len(s)]) != s {
		return false
	}
	p.rest = p.rest[len(s):]
	return true
}

func (p *parser) need(s string) {
	if !p.take(s) {
		p.bad = true
	}
}

func (p *parser) comma(i int) {
	if i > 0 {
		p.need(`,`)
	}
}

// upTo returns what stands before the next c and steps over both.
func (p *parser) upTo(c byte) []byte {
	end := bytes.IndexByte(p.rest, c)
	if p.bad || end < 0 {
		p.bad = true
		return nil
	}
	b := p.rest[:end]
	p.rest = p.rest[end+1:]
	return b
}

func (p *parser) key() string {
	p.need(`"`)
	raw := string(p.upTo('"'))
	key := raw
	if strings.IndexByte(raw, '\\') >= 0 {
		if json.Unmarshal([]byte(`"`+raw+`"`), &key) != nil {
			p.bad = true
		}
	}
	if again := appendKey(nil, key); string(again[1:len(again)-1]) != raw || !utf8.ValidString(key) {
		p.bad = true
	}
	return key
}

// number reads the one spelling of a number that is not negative.
func (p *parser) number() int64 {
	end := 0
	for end < len(p.rest) && p.rest[end] >= '0' && p.rest[end] <= '9' {
		end++
	}
	text := string(p.rest[:end])
	n, err := strconv.ParseInt(text, 10, 64)
	if p.bad || err != nil || strconv.FormatInt(n, 10) != text {
		p.bad = true
		return 0
	}
	p.rest = p.rest[end:]
	return n
}

// bytes reads what appendBytes wrote, and no other spelling of it.
func (p *parser) bytes() []byte {
	if p.take(`"`) {
		b, err := base64.StdEncoding.Strict().AppendDecode([]byte{}, p.upTo('"'))
		if err != nil || isObject(b) {
			p.bad = true
		}
		return b
	}
	end := objectEnd(p.rest)
	if p.bad || end < 0 || !isObject(p.rest[:end]) {
		p.bad = true
		return nil
	}
	b := p.rest[:end:end]
	p.rest = p.rest[end:]
	return b
}

// objectEnd is where the object at the beginning of b ends; -1 if it does not begin or end there.
func objectEnd(b []byte) int {
	if len(b) == 0 || b[0] != '{' {
		return -1
	}
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}
