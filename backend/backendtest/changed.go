// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/vault"
)

// passes checks what s passes for since.
func (t *trial) passes(s vault.Store, since int64, want ...vault.Row) error {
	got, err := t.changed(s, since)
	if err = errors.Join(err, sameSet(got, want)); err != nil {
		return fmt.Errorf("passed with since %d: %w", since, err)
	}
	return nil
}

func changedSince(t *trial) error {
	var all []vault.Row
	for seq := range int64(6) {
		r := at(seq, row(fmt.Sprint("k", 9-seq), fmt.Sprint(seq)))[0]
		if err := t.put(lines("l"), r); err != nil {
			return err
		}
		all = append(all, r)
	}
	// A row of the middle of a batch: its line is not the first.
	r := vault.Row{Key: "late", Seq: 7, Data: []byte("7")}
	if err := t.commit(vault.Batch{First: 6, Lines: lines("6", "7"), Rows: []vault.Row{r}}); err != nil {
		return err
	}
	all = append(all, r)
	for since := range int64(10) {
		want := all[min(since, 6):]
		if since > 7 {
			want = nil
		}
		if err := t.passes(t, since, want...); err != nil {
			return err
		}
	}
	return nil
}

func changedReplaced(t *trial) error {
	err := errors.Join(
		t.put(lines("0"), row("a", "1"), row("b", "1")),
		t.put(lines("1"), row("c", "1")),
		t.put(lines("2"), row("a", "2")))
	if err != nil {
		return err
	}
	a, b, c := at(2, row("a", "2"))[0], at(0, row("b", "1"))[0], at(1, row("c", "1"))[0]
	return errors.Join(t.passes(t, 0, a, b, c), t.passes(t, 1, a, c), t.passes(t, 2, a))
}

func changedSealed(t *trial) error {
	sealed := []vault.Row{row("x:", "s"), row("x:a", "s"), row("x:x:", "s")}
	open := []vault.Row{row("X:", "o"), row("x", "o"), row("x;", "o"), row("xx:", "o"), row("ax:", "o"), row("x9", "o")}
	if err := t.put(lines("0"), append(sealed, open...)...); err != nil {
		return err
	}
	if err := t.put(lines("1"), row("x:a", "t")); err != nil {
		return err
	}
	return errors.Join(t.passes(t, 0, open...), t.passes(t, 1))
}

func changedRemoved(t *trial) error {
	err := errors.Join(
		t.put(lines("0"), row("a", "1"), row("b", "1")),
		t.put(lines("1"), vault.Row{Key: "a"}),
		t.passes(t, 0, at(0, row("b", "1"))...),
		t.passes(t, 1),
		t.put(lines("2"), row("a", "anew")))
	if err != nil {
		return err
	}
	return t.passes(t, 1, at(2, row("a", "anew"))...)
}

func changedRestored(t *trial) error {
	first := vault.Row{Key: "restore", Seq: 0, Data: []byte(`{}`)}
	a, b := vault.Row{Key: "a", Seq: 1, Data: []byte("1")}, vault.Row{Key: "b", Seq: 2, Data: []byte("1")}
	x := vault.Row{Key: "x:b", Seq: 2, Data: []byte{1}}
	err := errors.Join(
		t.commit(vault.Batch{Rows: []vault.Row{first}}), // before there is any line
		t.commit(vault.Batch{Lines: lines("0", "1", "2")}),
		t.commit(vault.Batch{First: 3, Rows: []vault.Row{x, b}}),
		t.passes(t, 2, b),
		t.commit(vault.Batch{First: 3, Lines: lines("3"), Rows: []vault.Row{a, {Key: "restore"}}}),
		t.passes(t, 0, a, b), t.passes(t, 2, b), t.passes(t, 3))
	if err != nil {
		return err
	}
	rows, _, err := t.all(t, 0)
	if err == nil {
		err = sameRows(rows, []vault.Row{a, b, x})
	}
	return err
}
