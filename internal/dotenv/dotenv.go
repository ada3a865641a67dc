// SPDX-License-Identifier: Apache-2.0

// Package dotenv reads and writes files of the form KEY=value. There is no standard for them, so this is the dialect.
//
// A file is UTF-8 without a byte order mark, of at most 1 MiB. A line ends with a newline, or a carriage return and one, which
// the last may lack. White space (Unicode's) around a line, a key and a value goes. A line that is empty then or begins with #
// says nothing; every other one is
//
//	[export ]KEY=value
//
// KEY is one segment of a path: 1 to 64 of A-Z a-z 0-9 . _ - and not only dots. It stands once in a file, in this spelling.
// The value is all behind the first =, and either quoted as a whole or without a quote:
//
//	'…'    the characters as they are; there is no ' among them
//	"…"    the characters as they are, but for \" \\ \/ \b \f \n \r \t and \uXXXX, which are those of JSON; no other
//	       character may follow a backslash, and each other " ends the value
//	else   the characters as they are, a backslash and a dollar sign too; there is no ' and no " among them
//
// Readers of such files differ most where a quote stands inside of a value or something behind the closing one: some join the
// pieces, some keep the quotes. Both are refused here, so that no value loses a character unseen.
//
// Quotes may go over several lines, with a newline for each end of a line. Since a quote that was forgotten looks the same, no
// line inside of them may look like KEY=value.
//
// A # with a space or tab in front begins a comment, behind a value without quotes and behind the closing quote. Any other # in a
// value without quotes is refused, since a password may go on there. Nothing is expanded: no $VAR, no command. Control characters
// below U+0020 stand only as escapes, a tab too; so do the halves of a surrogate pair, which stand together. The value may be
// empty. For example
//
//	# search
//	TAVILY_API_KEY=tvly-abc$1      # tvly-abc$1
//	export DB_PASSWORD='p#ss "w" '
//	SERVICE_ACCOUNT='{"type":"service_account"}'
//	KEY_PEM="-----BEGIN-----
//	MIIE
//	"
//
// A file is good as a whole or refused as a whole, and every bad line is named by its number and, where that is no part of a
// value, its key: never by what stands behind it.
package dotenv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const maxFile = 1 << 20

// Entry is one line that says something.
type Entry struct {
	Key, Value string
	Line       int // from 1
}

// Parse reads a file to its end. The error has a line of text for each line that is bad, up to a quote that is not closed: what
// is behind that may be a value. Then there are no entries. It quotes no value.
func Parse(r io.Reader) ([]Entry, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	defer clear(text)
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxFile:
		return nil, fmt.Errorf("the file has more than %d bytes", maxFile)
	case bytes.HasPrefix(text, []byte("\ufeff")):
		return nil, errors.New("the file begins with a byte order mark: save it as UTF-8 without one")
	}
	var entries []Entry
	var bad []error
	seen := map[string]int{}
	for n, in := 1, (lines{rest: text}); len(in.rest) > 0; n = in.read + 1 {
		key, value, err := in.entry()
		if before := seen[key]; before > 0 && err == nil {
			err = fmt.Errorf("the key stands on line %d already", before)
		}
		switch {
		case err != nil && key != "":
			bad = append(bad, fmt.Errorf("line %d, %s: %w", n, key, err))
		case err != nil:
			bad = append(bad, fmt.Errorf("line %d: %w", n, err))
		case key != "":
			seen[key] = n
			entries = append(entries, Entry{key, value, n})
		}
		if errors.Is(err, errUnended) {
			break
		}
	}
	if bad != nil {
		return nil, errors.Join(bad...)
	}
	return entries, nil
}
