// SPDX-License-Identifier: Apache-2.0

package dotenv

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/keyward-go/keyward/scope"
)

// Format returns the line of an entry, newline included, that Parse reads as the same key and value: without quotes where no
// reader needs them, in single quotes where it can be so, since there no reader expands anything, and else in double ones. A
// dollar sign and a backtick are escapes in those, so that a shell that reads the file runs nothing of a value. What has no line
// (bytes that are not UTF-8, too many of them) is an error that quotes nothing.
func Format(key, value string) (string, error) {
	switch {
	case scope.CheckPath(key) != nil || strings.Contains(key, "/"):
		return "", errors.New("the key is not one segment of a path")
	case !utf8.ValidString(value):
		return "", errors.New("the value is not UTF-8, so no dotenv file can hold it")
	}
	line := key + "=" + quoted(value)
	if len(line) >= maxFile {
		return "", fmt.Errorf("the value is too long for a file of %d bytes", maxFile)
	}
	return line + "\n", nil
}

func quoted(value string) string {
	special := func(r rune) bool {
		return r >= 0x80 || !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:@%+,", r)
	}
	if !strings.ContainsFunc(value, special) {
		return value
	}
	if !strings.ContainsFunc(value, inDouble) {
		return "'" + value + "'"
	}
	return doubled(value)
}

// inDouble are those that cannot stand in single quotes.
func inDouble(r rune) bool { return r < ' ' || r == '\'' }

func doubled(value string) string {
	b := append(make([]byte, 0, len(value)+16), '"')
	for i := range len(value) {
		switch c := value[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c < ' ' || c == '$' || c == '`':
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}
