// SPDX-License-Identifier: Apache-2.0

package dotenv

import (
	"bytes"
	"strings"

	"github.com/keyward-go/keyward/scope"
)

// cutEntry takes an entry from the front of text, as one line: a newline inside of quotes is written as the dialect writes it
// on one line. It returns of how many lines that is, and what is left.
func cutEntry(text []byte) (entry []byte, lines int, rest []byte, err error) {
	entry, rest = cutLine(text)
	lines = 1
	_, value, found := bytes.Cut(entry, []byte("="))
	if trimmed := bytes.TrimSpace(entry); !found || trimmed[0] == '#' {
		return entry, lines, rest, nil
	}
	quote, err := openQuote(value)
	if err != nil || quote == 0 {
		return entry, lines, rest, nil // parseLine says what is wrong
	}
	newline := []byte(`\n`)
	if quote == '\'' {
		newline = []byte(`'"\n"'`) // single quotes know no escapes
	}
	entry = bytes.Clone(entry) // it is part of text, which must not be written over
	for {
		if len(rest) == 0 {
			return entry, lines, nil, errUnended
		}
		var line []byte
		line, rest = cutLine(rest)
		lines++
		if len(entry) > maxLine || endsEscaping(entry, quote) || isKey(line) {
			return entry, lines, rest, errUnended
		}
		entry = append(append(entry, newline...), line...)
		if end := closes(line, quote); end >= 0 {
			behind := line[end+1:]
			if word := bytes.TrimLeft(behind, " \t"); len(word) > 0 && (word[0] != '#' || len(word) == len(behind)) {
				return entry, lines, rest, errBehind
			}
			return entry, lines, rest, nil
		}
	}
}

// cutLine takes a line without its end.
func cutLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// openQuote returns the quote that is open at the end of a value, or 0. It refuses what go-envparse would take for a comment
// without white space in front of it.
func openQuote(value []byte) (quote byte, err error) {
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quote != 0:
			end := closes(value[i:], quote)
			if end < 0 {
				return quote, nil
			}
			i, quote = i+end, 0
		case c == '"' || c == '\'':
			quote = c
		case c == '#' && (i == 0 || value[i-1] != ' ' && value[i-1] != '\t'):
			return 0, errHash
		case c == '#':
			return 0, nil
		}
	}
	return quote, nil
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

// isKey reports whether a line inside of quotes looks as if it were the next entry: then they were probably not closed. The end
// of base64 does not.
func isKey(line []byte) bool {
	left, right, found := bytes.Cut(bytes.TrimSpace(line), []byte("="))
	key := strings.TrimSpace(strings.TrimPrefix(string(left), "export "))
	return found && len(bytes.Trim(right, "= ")) > 0 && scope.CheckPath(key) == nil && !strings.Contains(key, "/")
}
