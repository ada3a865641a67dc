// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

// hostileKeys is in byte order. Sorting by letter, by language or in UTF-16 gives another.
var hostileKeys = []string{
	" ", "!", "%", "'", "-", "/", "A", "B", "X:", "[", "\\", "_", "a", "a b", "a!", "a-b", "a/", "a/b", "a0", "aa", "b", "x", "x9",
	"x:", "x:1", "x:\x7f", "x;", "xx:", "~", "\u00e9", "\u05d0", "\uff0f", "\U00010000", "\U0001f511",
}

func rowsOrder(t *trial) error {
	var want []vault.Row
	for _, k := range hostileKeys {
		want = append(want, row(k, `{"key":"it's"}`))
	}
	shuffled := slices.Clone(want)
	slices.Reverse(shuffled)
	shuffled = append(shuffled[9:], shuffled[:9]...)
	if err := t.put(lines("0"), shuffled...); err != nil {
		return err
	}
	return t.holds(t, 0, lines("0"), want...)
}

func rowsPages(t *trial) error {
	want := []vault.Row{row("b", "1"), row("b/1", "2"), row("b/2", "3"), row("c", "4"), row("d", "5")}
	if err := t.put(lines("0"), slices.Clone(want)...); err != nil {
		return err
	}
	for _, c := range []struct {
		from string
		n    int
		want []vault.Row
	}{
		{"", 100, want},
		{"", 1, want[:1]},
		{"", 0, nil},
		{"b", 1, want[:1]}, // the key itself is the first
		{"b", 2, want[:2]},
		{"b\x00", 2, want[1:3]},
		{"b/", 2, want[1:3]}, // no such key: the next
		{"b/2", 100, want[2:]},
		{"bz", 1, want[3:4]},
		{"d", math.MaxInt, want[4:]},
		{"d0", 10, nil},
		{"\U0010ffff", 1, nil},
	} {
		got, err := t.Rows(t.ctx, c.from, c.n)
		if err = errors.Join(err, sameRows(got, c.want)); err != nil {
			return fmt.Errorf("Rows from %q, at most %d: %w", c.from, c.n, err)
		}
	}
	return nil
}

func rowsReplace(t *trial) error {
	err := errors.Join(
		t.put(lines("0"), row("a", "1"), row("b", "1")),
		t.put(lines("1"), row("a", "2 is longer")),
		t.put(lines("2"), row("b", "3"), row("c", "3")))
	if err != nil {
		return err
	}
	return t.holds(t, 0, lines("0", "1", "2"), slices.Concat(
		at(1, row("a", "2 is longer")), at(2, row("b", "3"), row("c", "3")))...)
}

func rowsRemove(t *trial) error {
	gone := func(key string) vault.Row { return vault.Row{Key: key} }
	err := errors.Join(
		t.put(lines("0"), row("a", "1"), row("b", "1"), row("c", "1"), row("x:c", "1")),
		t.put(lines("1"), gone("a"), gone("x:c"), gone("never was")),
		t.holds(t, 0, lines("0", "1"), at(0, row("b", "1"), row("c", "1"))...),
		t.put(lines("2"), gone("b"), row("a", "anew")))
	if err != nil {
		return err
	}
	return t.holds(t, 0, lines("0", "1", "2"), append(at(2, row("a", "anew")), at(0, row("c", "1"))...)...)
}

func rowsLastStands(t *trial) error {
	batch := []vault.Row{row("a", "1"), row("b", "1"), row("a", "2"), {Key: "b"}, {Key: "c"}, row("c", "1"), row("a", "3")}
	if err := t.put(lines("0"), batch...); err != nil {
		return err
	}
	return t.holds(t, 0, lines("0"), last(batch...)...)
}

func rowsBig(t *trial) error {
	big := make([]byte, 1100<<10)
	for i := range big {
		big[i] = byte(i ^ i>>8) // every byte: ciphertext is not text
	}
	want := []vault.Row{
		row(strings.Repeat("k", 1024), "{}"),
		{Key: "x:" + strings.Repeat("\u00e9", 511), Data: big},
	}
	if err := t.put(lines("0"), slices.Clone(want)...); err != nil {
		return err
	}
	if err := t.holds(t, 0, lines("0"), want...); err != nil {
		return err
	}
	got, err := t.Rows(t.ctx, want[0].Key, 1)
	return errors.Join(err, sameRows(got, want[:1]))
}

func rowsAlone(t *trial) error {
	if err := t.put(lines("0"), row("a", "1"), row("b", "1")); err != nil {
		return err
	}
	// Not through put: the row's line is the last, not the next.
	if err := t.commit(vault.Batch{First: 1, Rows: []vault.Row{row("a", "2"), {Key: "b"}}}); err != nil {
		return err
	}
	return t.holds(t, 0, lines("0"), row("a", "2"))
}

func rowsKeys(t *trial) error {
	unchanged, err := t.start()
	if err != nil {
		return err
	}
	for _, key := range []string{"", "\x00", "a\x00b", "\xff", "a\xc3", "\xed\xa0\x80", strings.Repeat("k", 1025)} {
		for _, data := range [][]byte{[]byte("2"), nil} { // written and removed
			b := full(2)
			b.Rows = append(b.Rows, vault.Row{Key: key, Seq: 2, Data: data})
			if err := update(t.ctx, t, 2, b); !errors.Is(err, vault.ErrInvalid) {
				return fmt.Errorf("a row of the key %s: %v, want ErrInvalid", show([]byte(key)), err)
			}
			if err := unchanged(); err != nil {
				return err
			}
		}
	}
	return t.commit(full(2))
}
