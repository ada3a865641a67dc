// SPDX-License-Identifier: Apache-2.0

package dotenv

import (
	"bytes"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/keyward-go/keyward/scope"
)

// lines are those of a file that were not read yet.
type lines struct {
	rest []byte
	read int // how many were
}

// next takes a line without its end.
func (l *lines) next() (line []byte) {
	line, l.rest, _ = bytes.Cut(l.rest, []byte("\n"))
	l.read++
	return bytes.TrimSuffix(line, []byte("\r"))
}

var (
	errNoEqual = errors.New("it has no =")
	errKey     = errors.New("the key is not one segment of a path: 1 to 64 of A-Z a-z 0-9 . _ - and not only dots")
	errUTF8    = errors.New("it is not UTF-8")
)

// entry takes a line, or all lines of a value in quotes. There is no key if it says nothing, and with an error only if it is one.
func (l *lines) entry() (key, value string, err error) {
	all := l.rest
	line := bytes.TrimLeftFunc(l.next(), unicode.IsSpace)
	if len(line) == 0 || line[0] == '#' {
		return "", "", nil
	}
	left, right, found := bytes.Cut(line, []byte("="))
	if !found {
		return "", "", errNoEqual
	}
	key = keyOf(left)
	if quoted := bytes.TrimLeftFunc(right, unicode.IsSpace); len(quoted) > 0 && isQuote(rune(quoted[0])) {
		value, err = l.quoted(quoted[0], quoted[1:])
	} else {
		value, err = plain(right)
	}
	switch {
	case err == errUnended:
	case !utf8.Valid(all[:len(all)-len(l.rest)]):
		err = errUTF8
	case key == "":
		err = errKey
	}
	return key, value, err
}

// keyOf returns the key that stands there, or nothing if it is none.
func keyOf(left []byte) string {
	key := strings.TrimSpace(string(left))
	if name, ok := strings.CutPrefix(key, "export "); ok {
		key = strings.TrimSpace(name)
	}
	if scope.CheckPath(key) != nil || strings.Contains(key, "/") {
		return ""
	}
	return key
}

// isKey reports whether a line inside of quotes looks as if it were the next entry: then they were probably not closed. The end
// of base64 does not.
func isKey(line []byte) bool {
	left, right, found := bytes.Cut(line, []byte("="))
	return found && len(bytes.Trim(bytes.TrimSpace(right), "= ")) > 0 && keyOf(left) != ""
}
