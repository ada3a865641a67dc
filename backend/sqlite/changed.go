// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

// scanFrom is from how many lines on it is quicker to look at all rows than at what the lines wrote.
const scanFrom = 10_000

// changed answers the rows of line since and later.
func (w *writer) changed(since int64) (changed []vault.Row, err error) {
	if since >= max(w.size, w.top) {
		return nil, nil
	}
	top := since
	add := func(row []driver.Value) error {
		r, err := rowOf(row)
		if r.Seq >= since { // one batch may write a row twice, the second time as of an earlier line
			changed, top = append(changed, r), max(top, r.Seq+1)
		}
		return err
	}
	if since < w.named || w.size-since > scanFrom {
		err = w.since.query(add, since)
	} else {
		err = w.byLines(since, add)
	}
	if err == nil {
		err = w.head.query(add, since)
	}
	if err == nil {
		w.top = top
	}
	return changed, err
}

// byLines passes the rows that the lines from since on name.
func (w *writer) byLines(since int64, add func([]driver.Value) error) error {
	seen := map[string]bool{}
	err := w.wrote.query(func(row []driver.Value) error {
		var keys []string
		if err := json.Unmarshal(bytesOf(row[0]), &keys); err != nil {
			return fmt.Errorf("what a line wrote cannot be read: %w", vault.ErrTampered)
		}
		for _, key := range keys {
			seen[key] = true
		}
		return nil
	}, since)
	for key := range seen {
		if err == nil {
			err = w.row.query(add, key)
		}
	}
	return err
}

// keysByLine is for each line the JSON array of the keys it writes, or nil; nil if no line writes any.
// Stray is behind the number of every row that none of the lines wrote.
func keysByLine(first int64, lines int, rows []vault.Row) (wrote []driver.Value, stray int64, err error) {
	var keys [][]string
	for _, r := range rows {
		if r.Data == nil || r.Key == headKey || strings.HasPrefix(r.Key, sealedPrefix) {
			continue
		}
		if r.Seq < first || r.Seq >= first+int64(lines) {
			stray = max(stray, r.Seq+1) // the contract has none; a batch of rows alone has
			continue
		}
		if keys == nil {
			keys = make([][]string, lines)
		}
		keys[r.Seq-first] = append(keys[r.Seq-first], r.Key)
	}
	if keys == nil {
		return nil, stray, nil
	}
	wrote = make([]driver.Value, lines)
	for i, k := range keys {
		if k != nil {
			text, err := json.Marshal(k)
			if err != nil {
				return nil, 0, err
			}
			wrote[i] = string(text)
		}
	}
	return wrote, stray, nil
}

// nameFrom notes that rows of lines below n may be named beside no line.
func (w *writer) nameFrom(n int64) error {
	w.named = max(w.named, n)
	return w.setNext.exec(int64(1), w.named)
}
