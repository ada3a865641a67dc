// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package file_test

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/vault"
)

// What Update takes can be read back by Open, whatever it is.
func TestOddRowsComeBack(t *testing.T) {
	nested := func(n int) []byte {
		return []byte(`{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}")
	}
	for _, r := range []vault.Row{
		{Key: "number of 19 digits", Seq: 1e18, Data: []byte("x")},
		{Key: "number of 18 digits", Seq: 1e18 - 1, Data: []byte("x")},
		{Key: "a\u2028\u2029<>&\x7f\ufffd\"\\\x01", Data: []byte("x")},
		{Key: strings.Repeat("<", 1024), Data: []byte("{")},
		{Key: "surrogate", Data: []byte(`{"a":"\ud800","a":1e999, "b":[{"}":"]"}]}`)},
		{Key: "empty", Data: []byte(`{}`)},
		{Key: "not UTF-8", Data: []byte("{\"a\":\"\xff\"}")},
		{Key: "deep", Data: nested(9_990)},
		{Key: "too deep for a decoder", Data: nested(20_000)},
		{Key: "two", Data: []byte(`{"a":1}{"b":2}`)},
	} {
		path := newPath(t)
		s := openAt(t, path)
		err := s.Update(t.Context(), 0, func([]vault.Row) (vault.Batch, error) {
			return vault.Batch{Rows: []vault.Row{r}, Lines: [][]byte{r.Data, nil}}, nil
		})
		s.Close()
		s, reopened := file.Open(t.Context(), path)
		if reopened != nil {
			t.Errorf("%.30q: Update answered %v, Open %v", r.Key, err, reopened)
			continue
		}
		if errors.Is(err, vault.ErrInvalid) {
			s.Close()
			continue
		}
		rows, _ := s.Rows(t.Context(), "", 10)
		lines, e := s.Lines(t.Context(), 0, 10)
		if err != nil || e != nil || len(rows) != 1 || rows[0].Key != r.Key || rows[0].Seq != r.Seq || !bytes.Equal(rows[0].Data, r.Data) ||
			len(lines) != 2 || !bytes.Equal(lines[0], r.Data) {
			t.Errorf("%.30q: %v, %v: %d rows, %d lines", r.Key, err, e, len(rows), len(lines))
		}
		s.Close()
	}
}

// A line of 16 MiB with a good checksum, as anybody can make one, costs no multiple of it.
func TestLineOfManyParts(t *testing.T) {
	const size = 15 << 20
	for _, c := range []struct{ before, part, behind string }{
		{`{"rows":[],"lines":[`, `{}`, `]}`},
		{`{"rows":[],"lines":[`, `""`, `]}`},
		{`{"rows":[`, `{"key":"a"}`, `],"lines":[]}`},
	} {
		path := newPath(t)
		openAt(t, path).Close()
		body := c.before + strings.Repeat(c.part+",", size/(len(c.part)+1)) + c.part + c.behind
		if err := os.WriteFile(path, file.Reseal(`{"keyward":"journal","format":1,"first":0}`, body), 0o600); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := file.Open(t.Context(), path)
		runtime.ReadMemStats(&after)
		if s != nil {
			s.Close()
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 160<<20 || !errors.Is(err, vault.ErrTampered) {
			t.Errorf("%s: %d MiB, %v", c.part, got>>20, err)
		}
	}
	s := openAt(t, newPath(t))
	many := make([][]byte, 1<<16)
	for first, more := range []int{0, 1} { // what Open would refuse, Update does
		err := s.Update(t.Context(), 0, func([]vault.Row) (vault.Batch, error) {
			return vault.Batch{First: int64(first) << 16, Lines: append(many, make([][]byte, more)...)}, nil
		})
		if errors.Is(err, vault.ErrInvalid) != (more > 0) || more == 0 && err != nil {
			t.Errorf("%d lines: %v", len(many)+more, err)
		}
	}
}
