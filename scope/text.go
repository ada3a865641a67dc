// SPDX-License-Identifier: Apache-2.0

package scope

import (
	"encoding"
	"errors"
	"strings"
)

var (
	_ encoding.TextMarshaler   = Set{}
	_ encoding.TextUnmarshaler = (*Set)(nil)
)

var errNotCanonical = errors.New("scopes are not in their canonical form: " +
	"sorted by bytes, each once, a single space between two and none elsewhere")

// String returns the canonical text: the scopes sorted by their bytes, each once, a single space between two. The text
// of the zero Set is empty. Scopes that others include are kept: the text says what was granted.
func (s Set) String() string {
	var b strings.Builder
	for i := range s.rules {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s.rules[i].text)
	}
	return b.String()
}

// MarshalText returns the text of String and never an error.
func (s Set) MarshalText() ([]byte, error) {
	return []byte(s.String()), nil
}

// UnmarshalText accepts exactly what MarshalText writes, so that a set has one text and a text one set. Order, doubles
// and spaces are not repaired. An error leaves s as it was and does not quote the text. Copies that were made of s
// before do not change.
func (s *Set) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*s = Set{}
		return nil
	}
	scopes := strings.SplitN(string(text), " ", maxScopes+1)
	parsed, err := Parse(scopes...)
	if err != nil {
		return err
	}
	if parsed.String() != string(text) {
		return errNotCanonical
	}
	*s = parsed
	return nil
}
