// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/vault"
)

func copiesIn(t *trial) error {
	ls, rs := lines("0", "1"), []vault.Row{row("a", "1"), row("b", "1"), row("x:c", "1")}
	if err := t.put(ls, rs...); err != nil {
		return err
	}
	spoil(ls, rs)
	return t.holds(t, 0, lines("0", "1"), row("a", "1"), row("b", "1"), row("x:c", "1"))
}

func copiesOut(t *trial) error {
	want := []vault.Row{row("a", "1"), row("b", "1"), row("x:c", "1")}
	if err := t.put(lines("0", "1"), want...); err != nil {
		return err
	}
	for range 2 { // the second time a store may answer from a cache that the first filled
		rs, ls, err := t.all(t, 0)
		if err != nil {
			return err
		}
		spoil(ls, rs)
		one, err := t.Rows(t.ctx, "x:c", 1)
		if err != nil {
			return err
		}
		spoil(nil, one)
		changed, err := t.changed(t, 0)
		if err != nil {
			return err
		}
		spoil(nil, changed)
		if err := t.holds(t, 0, lines("0", "1"), want...); err != nil {
			return err
		}
		if err := t.passes(t, 0, want[:2]...); err != nil {
			return err
		}
	}
	return nil
}

// spoil overwrites what a caller may overwrite, and appends where a caller may append.
func spoil(lines [][]byte, rows []vault.Row) {
	for i := range lines {
		clear(lines[i])
		_ = append(lines[i], "spoilt"...)
		lines[i] = nil
	}
	for i := range rows {
		clear(rows[i].Data)
		_ = append(rows[i].Data, "spoilt"...)
		rows[i] = vault.Row{}
	}
}

func copiesApart(t *trial) error {
	if err := t.put(lines("00", "11", "22"), row("a", "aa"), row("b", "bb"), row("c", "cc")); err != nil {
		return err
	}
	rs, ls, err := t.all(t, 0)
	if err != nil {
		return err
	}
	for i := range ls { // from the first on: it must not reach into the next
		_ = append(ls[i], "spoilt"...)
		_ = append(rs[i].Data, "spoilt"...)
	}
	return errors.Join(sameLines(ls, lines("00", "11", "22")), sameRows(rs, []vault.Row{row("a", "aa"), row("b", "bb"), row("c", "cc")}))
}

func copiesLast(t *trial) error {
	want := []vault.Row{row("a", "first"), row("b", "first")}
	if err := t.put(lines("first 0", "first 1"), want...); err != nil {
		return err
	}
	rs, ls, err := t.all(t, 0)
	if err != nil {
		return err
	}
	changed, err := t.changed(t, 0)
	if err != nil {
		return err
	}
	for i := range 20 { // enough to use any buffer again
		text := fmt.Sprintf("%7d", i)
		if err := t.put(lines(text, text), row("a", text), row("b", text)); err != nil {
			return err
		}
		if _, err := t.changed(t, 0); err != nil {
			return err
		}
		if _, _, err := t.all(t, 0); err != nil {
			return err
		}
	}
	return errors.Join(sameLines(ls, lines("first 0", "first 1")), sameRows(rs, want), sameSet(changed, want))
}
