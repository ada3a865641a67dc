// SPDX-License-Identifier: Apache-2.0

// Package dotenv reads and writes files of the form KEY=value. There is no standard for them, so this is the dialect.
//
// A file is UTF-8 without a byte order mark, of at most 1 MiB. A line ends with a newline, or a carriage return and one, which
// the last may lack, and has at most 65,535 bytes before that. White space (Unicode's) around a line, a key and a value goes.
// A line that is empty then or begins with # says nothing; every other one is
//
//	[export ]KEY=value
//
// KEY is one segment of a path: 1 to 64 of A-Z a-z 0-9 . _ - and not only dots. It stands once in a file, in this spelling.
// The value is all behind the first =, in pieces that join:
//
//	'…'    the bytes as they are; there is no ' among them
//	"…"    the bytes as they are, but for \" \\ \/ \b \f \n \r \t and \uXXXX, which are those of JSON; no other character
//	       may follow a backslash
//	else   the bytes as they are, a backslash and a dollar sign too; white space between two pieces stays
//
// Quotes may go over several lines, with a newline for each end of a line. Since a quote that was forgotten looks the same, no
// line inside of them may look like KEY=value, and behind the quote that ends them stands nothing but a comment. All lines of
// one entry have together at most 65,535 bytes.
//
// Nothing is expanded: no $VAR, no command. A # outside of quotes begins a comment if white space is in front
// of it, and is refused otherwise, since a password may go on there. Control characters below U+0020 stand only as escapes, a
// tab too; so do the halves of a surrogate pair, which stand together. The value
// may be empty. For example
//
//	# search
//	TAVILY_API_KEY=tvly-abc$1      # tvly-abc$1
//	export DB_PASSWORD='p#ss "w" '
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
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/go-envparse"

	"github.com/keyward-go/keyward/scope"
)

const (
	maxFile = 1 << 20
	maxLine = 1<<16 - 1 // what go-envparse can read
)

// Entry is one line that says something.
type Entry struct {
	Key, Value string
	Line       int // from 1
}

var (
	errUnended = errors.New("a quote is not closed, or the next key stands inside of it; multi-line values: use keyward set PATH --file FILE")
	errBehind  = errors.New("something stands behind the quote that ends a multi-line value: use keyward set PATH --file FILE")
	errHash    = errors.New("a # in the value: put the value in single quotes, or a space in front of a comment")
)

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
	for n, rest := 1, text; len(rest) > 0; {
		line, lines, left, open := cutEntry(rest)
		rest = left
		key, value, err := parseLine(line)
		if open != nil {
			err = open
		}
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
		if open == errUnended {
			break
		}
		n += lines
	}
	if bad != nil {
		return nil, errors.Join(bad...)
	}
	return entries, nil
}

// parseLine returns no key for a line that says nothing, and with an error the key only if it is one. The key is this
// package's business, the value go-envparse's, where that keeps what the dialect says.
func parseLine(line []byte) (key, value string, err error) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] == '#' {
		return "", "", nil
	}
	left, right, found := bytes.Cut(line, []byte("="))
	key = string(bytes.TrimSpace(left))
	if name, ok := strings.CutPrefix(key, "export "); ok {
		key = strings.TrimSpace(name)
	}
	switch {
	case len(line) > maxLine:
		return "", "", fmt.Errorf("it has more than %d bytes", maxLine)
	case !utf8.Valid(line):
		return "", "", errors.New("it is not UTF-8")
	case !found:
		return "", "", errors.New("it has no =")
	case scope.CheckPath(key) != nil || strings.Contains(key, "/"):
		return "", "", errors.New("the key is not one segment of a path: 1 to 64 of A-Z a-z 0-9 . _ - and not only dots")
	}
	if _, err := openQuote(right); err != nil {
		return key, "", err
	}
	const name = "K"
	got, err := envparse.Parse(io.MultiReader(strings.NewReader(name+"="), bytes.NewReader(right)))
	value = got[name]
	var cause *envparse.ParseError // it has no Unwrap, and its text may quote a character of the value
	switch {
	case errors.As(err, &cause) &&
		(cause.Err == envparse.ErrUnmatchedDouble || cause.Err == envparse.ErrUnmatchedSingle || cause.Err == envparse.ErrIncompleteEscape):
		return key, "", errUnended
	case err != nil:
		return key, "", errors.New("the value has an escape that JSON does not know, or a control character")
	case !utf8.ValidString(value): // go-envparse cuts a last character of several bytes in front of a comment
		return key, "", errors.New("the comment is too near: put it on a line of its own")
	case strings.Count(value, "\ufffd") > bytes.Count(right, []byte("\ufffd")):
		return key, "", errors.New("the value has half of a surrogate pair")
	}
	return key, value, nil
}
