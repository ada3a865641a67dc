// SPDX-License-Identifier: Apache-2.0

package audit

import "unicode/utf8"

const hex = "0123456789abcdef"

// EscapedLen returns the number of bytes that s takes up in a record line. Limits on text count these.
func EscapedLen(s string) int {
	n := len(s)
	for i := 0; i < len(s); {
		if plain(s[i]) {
			i++
			continue
		}
		r, w := utf8.DecodeRuneInString(s[i:])
		switch {
		case escaped(r):
			n += 6 - w
		case r == utf8.RuneError && w == 1:
			n += len("\ufffd") - 1
		}
		i += w
	}
	return n
}

// appendText appends s as it stands between the quotes of a record line: escaped, and with U+FFFD for each byte that
// is not UTF-8.
func appendText(dst []byte, s string) []byte {
	done := 0
	for i := 0; ; {
		for i < len(s) && plain(s[i]) {
			i++
		}
		if i == len(s) {
			return append(dst, s[done:]...)
		}
		r, w := utf8.DecodeRuneInString(s[i:])
		invalid := r == utf8.RuneError && w == 1
		if escaped(r) || invalid {
			dst = append(dst, s[done:i]...)
			if invalid {
				dst = append(dst, "\ufffd"...)
			} else {
				dst = append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
			}
			done = i + w
		}
		i += w
	}
}

// plain reports whether c is printable ASCII that is written as it is.
func plain(c byte) bool { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' }

// escaped reports whether r is written as \uXXXX: what a terminal obeys, what a viewer hides or reorders, what
// some readers take for the end of a line, and the two that JSON itself needs. All of them lie below U+10000.
func escaped(r rune) bool {
	switch {
	case r < 0x20, r == '"', r == '\\', r >= 0x7f && r <= 0x9f:
		return true
	case r == 0x61c, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
		return true
	}
	return false
}
