// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/vault"
)

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "vault.journal") }

func openAt(t testing.TB, path string) *file.Store {
	t.Helper()
	s, err := file.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func update(s vault.Store, b vault.Batch) error {
	return s.Update(context.Background(), b.First, func([]vault.Row) (vault.Batch, error) { return b, nil })
}

func commit(t testing.TB, s vault.Store, batches ...vault.Batch) {
	t.Helper()
	for _, b := range batches {
		if err := update(s, b); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documented is the two commits of the package comment.
var documented = []vault.Batch{
	{Lines: [][]byte{[]byte(`{"seq":0,"op":"put"}`)}, Rows: []vault.Row{
		{Key: "t:9f", Seq: 0, Data: []byte(`{"uses":1}`)}, {Key: "x:a/b:1", Seq: 0, Data: []byte{0, 1, 2}}}},
	{First: 1, Lines: [][]byte{[]byte(`{"seq":1,"op":"get"}`)}, Rows: []vault.Row{
		{Key: "t:9f", Seq: 1, Data: []byte(`{"uses":2}`)}, {Key: "x:a/b:1"}}},
}

// The journals of the package comment are what the store writes, before and after compaction.
func TestDocumentedFormat(t *testing.T) {
	doc := strings.ReplaceAll(read(t, "doc.go"), "//\t", "")
	path := newPath(t)
	s := openAt(t, path)
	commit(t, s, documented...)
	whole := read(t, path)
	path2 := newPath(t)
	s2 := openAt(t, path2)
	commit(t, s2, documented[0])
	s2.Compact()
	commit(t, s2, documented[1])
	for _, journal := range []string{whole, read(t, path2)} {
		if !strings.Contains(doc, journal) {
			t.Errorf("the package comment does not have:\n%s", journal)
		}
	}
}

// Whatever is stored comes back byte for byte, and stands in one line of the journal.
func TestCoding(t *testing.T) {
	for _, c := range []struct{ data, text string }{
		{`{}`, `{}`},
		{`{"a": [1,{"b":"}\"]"}] }`, `{"a": [1,{"b":"}\"]"}] }`},
		{`{"ä":"🔑\u0000"}`, `{"ä":"🔑\u0000"}`},
		{"{\n}", `"ewp9"`},                // a line break
		{"{\"a\":\t1}", `"eyJhIjoJMX0="`}, // another control character
		{`{"a":1`, `"eyJhIjox"`},
		{`{"a":1}}`, `"eyJhIjoxfX0="`},
		{`{a}`, `"e2F9"`},
		{"{\"\xff\"}", `"eyL/In0="`}, // not UTF-8
		{`[]`, `"W10="`},
		{`"text"`, `"InRleHQi"`},
		{`1`, `"MQ=="`},
		{"", `""`},
		{"\x00\r\n", `"AA0K"`},
	} {
		b := vault.Batch{Lines: [][]byte{[]byte(c.data)}, Rows: []vault.Row{{Key: "k", Data: []byte(c.data)}}}
		line := file.WriteLine(b)
		if want := `{"rows":[{"key":"k","seq":0,"data":` + c.text + `}],"lines":[` + c.text + `]}`; string(line) != want {
			t.Errorf("%q is written %s, want %s", c.data, line, want)
		}
		again, rows, lines, err := file.ParseLine(line)
		if err != nil || !bytes.Equal(again, line) || string(lines[0]) != c.data || string(rows[0].Data) != c.data {
			t.Errorf("%q is read as %v, %q, written again %s: %v", c.data, rows, lines, again, err)
		}
	}
}

func TestKeys(t *testing.T) {
	for key, text := range map[string]string{
		"s:production/a-b_c.d": `"s:production/a-b_c.d"`,
		`quote"back\slash`:     `"quote\"back\\slash"`,
		"ä\n🔑":                 `"ä\n🔑"`,
		"<&>":                  `"<&>"`,
	} {
		line := file.WriteLine(vault.Batch{Rows: []vault.Row{{Key: key, Data: []byte("{}")}}})
		if want := `{"rows":[{"key":` + text + `,"seq":0,"data":{}}],"lines":[]}`; string(line) != want {
			t.Errorf("%q is written %s", key, line)
		}
		if _, rows, _, err := file.ParseLine(line); err != nil || rows[0].Key != key {
			t.Errorf("%q is read as %v: %v", key, rows, err)
		}
	}
	s := openAt(t, newPath(t))
	for _, key := range []string{"", "a\x00b", "\xff", strings.Repeat("k", 1025)} {
		if err := update(s, vault.Batch{Rows: []vault.Row{{Key: key, Data: []byte("{}")}}}); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("a key of %d bytes: %v", len(key), err)
		}
	}
}

// A batch that no reader would take is not written.
func TestTooLong(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path)
	before := read(t, path)
	for _, n := range []int{17 << 20, 13 << 20} { // as it is, and as base64
		b := vault.Batch{Lines: [][]byte{make([]byte, n)}}
		if err := update(s, b); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%d bytes: %v", n, err)
		}
		b.Scrub = true
		if err := update(s, b); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%d bytes, scrubbed: %v", n, err)
		}
	}
	if read(t, path) != before {
		t.Error("something was written")
	}
	commit(t, s, vault.Batch{Lines: [][]byte{make([]byte, 11<<20)}})
	s.Close()
	openAt(t, path)
}

// What the parser takes means one thing: written again it is read alike.
func FuzzLine(f *testing.F) {
	for _, b := range documented {
		f.Add(file.WriteLine(b))
	}
	for _, s := range []string{
		`{"keep":1,"dropped":2,"rows":[],"lines":[{},"AA=="]}`, `{"rows":[{"key":"a\u0041\n","seq":0,"data":"AAEC"}],"lines":[]}`,
		`{"rows":[],"lines":[{"a":"}"},{"b":[{}]}]}`, `{"rows":[{"key":"a"}],"lines":[]`, `{"keep":0,"rows":[],"lines":[]}`, `{"rows":[,],"lines":[]}`,
		`{"rows":[{"key":"\ud800"}],"lines":[]}`, `{"rows":[],"lines":["A\rA=="]}`, `{"rows":[],"lines":[{]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		again, rows, lines, err := file.ParseLine(body)
		if err != nil {
			if !errors.Is(err, vault.ErrTampered) {
				t.Fatal(err)
			}
			return
		}
		twice, rows2, lines2, err := file.ParseLine(again)
		if err != nil || !bytes.Equal(again, twice) || len(rows) != len(rows2) || len(lines) != len(lines2) {
			t.Fatalf("%q is written again as %q, then %q: %v", body, again, twice, err)
		}
		for i := range rows {
			if rows[i].Key != rows2[i].Key || rows[i].Seq != rows2[i].Seq || !bytes.Equal(rows[i].Data, rows2[i].Data) {
				t.Fatalf("row %d of %q changed", i, body)
			}
		}
		for i := range lines {
			if !bytes.Equal(lines[i], lines2[i]) {
				t.Fatalf("line %d of %q changed", i, body)
			}
		}
	})
}

// The log is not in memory: what is known of it is an entry for each 16 KiB of journal.
func TestMemory(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path)
	for first := int64(0); first < 800; first += 8 { // 4 KB each
		commit(t, s, batchOf(first, 8))
	}
	for range 2 {
		size := len(read(t, path))
		if n := s.Marks(); n > size>>14+1 || n < 20 {
			t.Errorf("%d entries for %d bytes", n, size)
		}
		s.Close()
		s = openAt(t, path)
	}
}

// Pages of any size, in any order, are what was written, whatever the sizes of the commits and whatever is compacted
// between.
func TestLinesAtRandom(t *testing.T) {
	s := openAt(t, newPath(t))
	rnd := rand.New(rand.NewPCG(1, 2))
	var model [][]byte
	var from, keep int64
	for range 40 {
		b := vault.Batch{First: int64(len(model)), Rows: []vault.Row{{Key: "head", Data: fmt.Appendf(nil, `{"n":%d}`, len(model))}}}
		for range rnd.IntN(3) * rnd.IntN(200) {
			b.Lines = append(b.Lines, fmt.Appendf(nil, `{"n":%d,"pad":"%s"}`, len(model)+len(b.Lines), strings.Repeat("p", rnd.IntN(300))))
		}
		model = append(model, b.Lines...)
		if rnd.IntN(8) == 0 {
			keep = max(keep, rnd.Int64N(int64(len(model))+1))
			b.Keep = keep
		}
		if rnd.IntN(6) == 0 {
			s.Compact()
		}
		commit(t, s, b)
		for range 40 { // the first follows the last of the round before
			n := 1 + rnd.IntN(1<<rnd.IntN(9))
			var want [][]byte
			if from >= keep && from < int64(len(model)) {
				want = model[from:min(int64(len(model)), from+int64(n))]
			}
			got, err := s.Lines(t.Context(), from, n)
			if err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
				t.Fatalf("from %d, %d of %d lines, kept from %d: %d, want %d: %v", from, n, len(model), keep, len(got), len(want), err)
			}
			if from += int64(len(got)); rnd.IntN(4) == 0 || len(got) == 0 { // most follow the one before
				from = rnd.Int64N(int64(len(model)) + 2)
			}
		}
	}
}
