// SPDX-License-Identifier: Apache-2.0

// Package rows is what stores share: the bounds of a batch, and the rows of a store that holds them all in memory, by key and
// by page in the order of the keys.
package rows

import (
	"slices"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

// Set is rows by key. Its zero value is empty. It is not safe for concurrent use.
type Set struct {
	rows  map[string]*entry
	index index
}

// entry is a row without its key.
type entry struct {
	seq  int64
	data []byte
}

// Get returns a row. Its data is the set's own, until the next Write.
func (s *Set) Get(key string) (r vault.Row, ok bool) {
	e, ok := s.rows[key]
	if !ok {
		return vault.Row{}, false
	}
	return vault.Row{Key: key, Seq: e.seq, Data: e.data}, true
}

// Write puts a copy of a row, or removes it if its data is nil. It writes over the data of the row before if that has room:
// the head is written in every commit.
func (s *Set) Write(r vault.Row) {
	e := s.rows[r.Key]
	switch {
	case r.Data == nil && e != nil:
		delete(s.rows, r.Key)
		s.index.removed = true
		return
	case r.Data == nil:
		return
	case s.rows == nil:
		s.rows = make(map[string]*entry)
	}
	if e == nil {
		e = new(entry)
		s.rows[r.Key] = e
		s.index.added = append(s.index.added, r.Key)
	}
	e.seq, e.data = r.Seq, append(e.data[:0], r.Data...)
	if len(s.index.added) > 1024+len(s.rows) {
		s.index.keys(s.rows) // nobody reads: tidy up, or keys that come and go would pile up
	}
}

// Page returns copies of at most n rows in the byte order of their keys, beginning with the first key >= from. The first call
// after a new key costs time in proportion to the number of rows, unless it asks for the one row that from names.
func (s *Set) Page(from string, n int) []vault.Row {
	if e, ok := s.rows[from]; ok && n == 1 {
		return []vault.Row{e.row(from)}
	}
	keys := s.index.keys(s.rows)
	start, _ := slices.BinarySearch(keys, from)
	keys = keys[start:]
	keys = keys[:max(0, min(n, len(keys)))]
	page := make([]vault.Row, len(keys))
	for i, key := range keys {
		page[i] = s.rows[key].row(key)
	}
	return page
}

// Changed returns copies of the rows that were written by line since or later, but for those whose key begins with "x:".
// It looks at every row.
func (s *Set) Changed(since int64) (rows []vault.Row) {
	for key, e := range s.rows {
		if e.seq >= since && !strings.HasPrefix(key, "x:") {
			rows = append(rows, e.row(key))
		}
	}
	return rows
}

func (e *entry) row(key string) vault.Row {
	return vault.Row{Key: key, Seq: e.seq, Data: append(make([]byte, 0, len(e.data)), e.data...)} // never nil
}

// index is the keys of the rows in order. It is brought up to date by the reader who needs it, so that a commit with a
// new key costs one append.
type index struct {
	sorted  []string
	added   []string // since then, in any order
	removed bool     // since then, one or more
}

// keys returns the keys of rows in order.
func (x *index) keys(rows map[string]*entry) []string {
	if len(x.added) == 0 && !x.removed {
		return x.sorted
	}
	slices.Sort(x.added)
	merged := make([]string, 0, len(rows))
	old, added := x.sorted, x.added
	for len(old) > 0 || len(added) > 0 {
		var key string
		if len(added) == 0 || len(old) > 0 && old[0] <= added[0] {
			key, old = old[0], old[1:]
		} else {
			key, added = added[0], added[1:]
		}
		_, there := rows[key]
		again := len(merged) > 0 && merged[len(merged)-1] == key // removed and written anew
		if there && !again {
			merged = append(merged, key)
		}
	}
	*x = index{sorted: merged}
	return merged
}
