// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/keyward-go/keyward/vault"
)

// trial is one case at work: a directory, the store in it, and how many lines the case has written there.
type trial struct {
	vault.Store
	ctx    context.Context
	dir    string
	open   func(dir string) (vault.Store, error)
	opened []vault.Store
	size   int64
}

// handle opens the directory once more.
func (t *trial) handle() (vault.Store, error) {
	s, err := t.open(t.dir)
	if err == nil {
		t.opened = append(t.opened, s)
	}
	return s, err
}

// reopen closes the store and opens it again.
func (t *trial) reopen() error {
	if err := t.Close(); err != nil {
		return fmt.Errorf("Close: %w", err)
	}
	s, err := t.handle()
	if errors.Is(err, errors.ErrUnsupported) {
		return skip("the store keeps nothing beyond Close")
	}
	if err != nil {
		return fmt.Errorf("reopen: %w", err)
	}
	t.Store = s
	return nil
}

// second opens another handle beside the first. A refusal must leave the first one alone.
func (t *trial) second() (vault.Store, error) {
	s, err := t.handle()
	if err == nil {
		return s, nil
	}
	if e := t.put(lines("after a refused handle")); e != nil {
		return nil, fmt.Errorf("a second open was refused (%w), and then the first handle failed: %w", err, e)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, skip("the store has one handle only")
	}
	return nil, skip("the store takes one handle at a time: " + err.Error())
}

// put commits lines and rows at the end of the log. Rows get the number of the first line.
func (t *trial) put(lines [][]byte, rows ...vault.Row) error {
	b := vault.Batch{First: t.size, Lines: lines, Rows: rows}
	for i := range rows {
		rows[i].Seq = b.First
	}
	return t.commit(b)
}

// commit stores b, which must succeed.
func (t *trial) commit(b vault.Batch) error {
	if err := update(t.ctx, t, t.size, b); err != nil {
		return fmt.Errorf("Update: %w", err)
	}
	t.size += int64(len(b.Lines))
	return nil
}

// update is one Update that commits b, whatever changed.
func update(ctx context.Context, s vault.Store, since int64, b vault.Batch) error {
	return s.Update(ctx, since, func([]vault.Row) (vault.Batch, error) { return b, nil })
}

// changed is what Update passes.
func (t *trial) changed(s vault.Store, since int64) ([]vault.Row, error) {
	var got []vault.Row
	err := s.Update(t.ctx, since, func(rows []vault.Row) (vault.Batch, error) {
		got = rows
		return vault.Batch{}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("Update that commits nothing: %w", err)
	}
	return got, nil
}

// all reads the whole store, in pages of an awkward size, lines from keep on.
func (t *trial) all(s vault.Store, keep int64) (rows []vault.Row, lines [][]byte, err error) {
	const n = 7
	for from := ""; ; {
		page, err := s.Rows(t.ctx, from, n)
		if err != nil {
			return nil, nil, fmt.Errorf("Rows: %w", err)
		}
		rows = append(rows, page...)
		if len(page) < n {
			break
		}
		from = page[n-1].Key + "\x00" // the least key above it
	}
	for {
		page, err := s.Lines(t.ctx, keep+int64(len(lines)), n)
		if err != nil {
			return nil, nil, fmt.Errorf("Lines: %w", err)
		}
		lines = append(lines, page...)
		if len(page) < n {
			return rows, lines, nil
		}
	}
}

// holds checks everything in s.
func (t *trial) holds(s vault.Store, keep int64, wantLines [][]byte, wantRows ...vault.Row) error {
	rows, lines, err := t.all(s, keep)
	return errors.Join(err, sameLines(lines, wantLines), sameRows(rows, wantRows))
}

// row is a row without its number: put sets it.
func row(key, data string) vault.Row { return vault.Row{Key: key, Data: []byte(data)} }

// at gives rows the number seq.
func at(seq int64, rows ...vault.Row) []vault.Row {
	rows = slices.Clone(rows)
	for i := range rows {
		rows[i].Seq = seq
	}
	return rows
}

// lines makes lines of texts.
func lines(texts ...string) [][]byte {
	out := make([][]byte, len(texts))
	for i, s := range texts {
		out[i] = []byte(s)
	}
	return out
}

func sameLines(got, want [][]byte) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d lines, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			return fmt.Errorf("line %d of the answer is %s, want %s", i, show(got[i]), show(want[i]))
		}
	}
	return nil
}

// sameRows compares in order.
func sameRows(got, want []vault.Row) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d rows %s, want %d %s", len(got), keys(got), len(want), keys(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Key != w.Key || g.Seq != w.Seq || !bytes.Equal(g.Data, w.Data) {
			return fmt.Errorf("row %d of the answer is %s, line %d: %s; want %s, line %d: %s",
				i, show([]byte(g.Key)), g.Seq, show(g.Data), show([]byte(w.Key)), w.Seq, show(w.Data))
		}
	}
	return nil
}

// sameSet compares in any order.
func sameSet(got, want []vault.Row) error { return sameRows(sorted(got), sorted(want)) }

func sorted(rows []vault.Row) []vault.Row {
	return slices.SortedFunc(slices.Values(rows), func(a, b vault.Row) int {
		return bytes.Compare([]byte(a.Key), []byte(b.Key))
	})
}

// last is rows as they stand after a batch: the last of a key, none where it is removed.
func last(rows ...vault.Row) []vault.Row {
	byKey := make(map[string]vault.Row)
	for _, r := range rows {
		byKey[r.Key] = r
		if r.Data == nil {
			delete(byKey, r.Key)
		}
	}
	return sorted(slices.Collect(maps.Values(byKey)))
}

// show prints bytes so that a failure stays readable.
func show(b []byte) string {
	if len(b) > 60 {
		return fmt.Sprintf("%q… (%d bytes)", b[:60], len(b))
	}
	return fmt.Sprintf("%q", b)
}

func keys(rows []vault.Row) string {
	var names []string
	for _, r := range rows[:min(len(rows), 12)] {
		names = append(names, show([]byte(r.Key)))
	}
	return fmt.Sprint(names)
}
