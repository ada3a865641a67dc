// SPDX-License-Identifier: Apache-2.0

package dotenv

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

const wholly = `: put the whole value in single quotes, or if it has a ' in double quotes, with \" for " and \\ for \`

var (
	errUnended = errors.New("a quote is not closed, or the next key stands inside of it; multi-line values: use keyward set PATH --file FILE")
	errQuote   = errors.New("the value has a quote and is not quoted as a whole" + wholly)
	errBehind  = errors.New("something stands behind the closing quote that is no comment with a space in front" + wholly)
	errHash    = errors.New("a # in the value: put the value in single quotes, or a space in front of a comment")
	errControl = errors.New("the value has a control character, as a tab: put it in double quotes, and there as an escape of JSON")
	errEscape  = errors.New("the value has an escape that JSON does not know, or half of a surrogate pair")
)

func isQuote(c rune) bool { return c == '"' || c == '\'' }

// plain returns a value without quotes.
func plain(text []byte) (string, error) {
	value, err := text, error(nil)
	if i := bytes.IndexByte(text, '#'); i >= 0 {
		value, err = text[:max(i-1, 0)], comment(text[max(i-1, 0):])
	}
	value = bytes.TrimSpace(value)
	switch {
	case bytes.ContainsFunc(value, isQuote):
		return "", errQuote
	case err != nil:
		return "", err
	case bytes.ContainsFunc(value, isControl):
		return "", errControl
	}
	return string(value), nil
}

// quoted returns a value in quotes, of which first is what stands behind the opening one on its line.
func (l *lines) quoted(quote byte, first []byte) (string, error) {
	var value []byte
	line := first
	end := closes(line, quote)
	for ; end < 0; end = closes(line, quote) {
		if len(l.rest) == 0 || endsEscaping(line, quote) {
			return "", errUnended
		}
		value = append(append(value, line...), '\n')
		if line = l.next(); isKey(line) {
			return "", errUnended
		}
	}
	value = append(value, line[:end]...)
	behind := line[end+1:]
	switch err := comment(behind); {
	case err != nil:
		return "", errBehind
	case bytes.ContainsFunc(value, func(c rune) bool { return isControl(c) && c != '\n' }):
		return "", errControl
	case quote == '\'':
		return string(value), nil
	}
	return unescape(value)
}

// closes returns where in line, which begins inside of quotes, they close, or -1.
func closes(line []byte, quote byte) int {
	for i := 0; i < len(line); i++ {
		switch {
		case quote == '"' && line[i] == '\\':
			i++
		case line[i] == quote:
			return i
		}
	}
	return -1
}

// endsEscaping reports whether a backslash inside of double quotes stands before a newline, which it cannot escape.
func endsEscaping(line []byte, quote byte) bool {
	return quote == '"' && (len(line)-len(bytes.TrimRight(line, `\`)))%2 == 1
}

// unescape reads the escapes of JSON, which has no newlines in its texts.
func unescape(text []byte) (value string, err error) {
	quoted := append(append([]byte{'"'}, bytes.ReplaceAll(text, []byte("\n"), []byte(`\n`))...), '"')
	defer clear(quoted)
	if json.Unmarshal(quoted, &value) != nil ||
		strings.Count(value, "\ufffd") > bytes.Count(text, []byte("\ufffd")) { // which stands for what is no character
		return "", errEscape
	}
	return value, nil
}

// comment refuses what stands behind a value and is neither white space nor a comment with some in front.
func comment(text []byte) error {
	behind := bytes.TrimSpace(text)
	switch {
	case len(behind) == 0:
		return nil
	case behind[0] != '#' || text[0] != ' ' && text[0] != '\t':
		return errHash
	case bytes.ContainsFunc(behind, func(c rune) bool { return isControl(c) && c != '\t' }):
		return errControl
	}
	return nil
}

func isControl(c rune) bool { return c < ' ' }
