// SPDX-License-Identifier: Apache-2.0

// Package exampletest runs an example and looks at what it leaves: its output, and nothing else.
package exampletest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// One screen.
const (
	maxLines   = 40
	maxColumns = 110
)

var (
	bearer = regexp.MustCompile(`kw_[a-z]+_`)
	clock  = regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`)
	token  = regexp.MustCompile(`token [0-9a-f]{8}`)
)

// Check runs an example, and fails the test unless its output is that of the golden file, fits one screen and holds none
// of the values and no token, and nothing is left in the folder for temporary files. In the golden file every time is
// HH:MM:SS and every token "token xxxxxxxx".
func Check(t *testing.T, run func(context.Context, io.Writer) error, golden string, values []string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var out bytes.Buffer
	err := run(t.Context(), &out)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	fits(t, out.String())
	leaks(t, out.String(), values)

	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	got := clock.ReplaceAllString(token.ReplaceAllString(out.String(), "token xxxxxxxx"), "HH:MM:SS")
	if got != string(want) {
		t.Errorf("the output is not that of %s:\n%s", golden, got)
	}
}

func fits(t *testing.T, out string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) > maxLines {
		t.Errorf("%d lines, more than %d", len(lines), maxLines)
	}
	for i, line := range lines {
		if n := utf8.RuneCountInString(line); n > maxColumns {
			t.Errorf("line %d has %d columns, more than %d", i+1, n, maxColumns)
		}
	}
}

func leaks(t *testing.T, out string, values []string) {
	t.Helper()
	if found := bearer.FindString(out); found != "" {
		t.Errorf("the output shows a %s…", found)
	}
	if len(values) == 0 {
		t.Error("no values to look for")
	}
	for i, v := range values {
		if len(v) < 8 {
			t.Errorf("value %d is too short to be looked for", i)
		}
		// A value may stand anywhere in a longer encoded text, so only the part that does not depend on where is looked for.
		for _, form := range []string{v, hex.EncodeToString([]byte(v)), middle(v, 0), middle(v, 1), middle(v, 2)} {
			if strings.Contains(out, form) {
				t.Errorf("the output shows value %d", i)
			}
		}
	}
}

// middle is v in base64 as it looks behind some other bytes, without the ends that depend on its neighbours.
func middle(v string, behind int) string {
	text := base64.RawStdEncoding.EncodeToString(append(make([]byte, behind), v...))
	return text[4 : len(text)-4]
}
