// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

func linesBytes(t *trial) error {
	hostile := lines(
		`{"seq":0,"reason":"it's \"quoted\" \\ `+"`x`"+` -- ; DROP TABLE log"}`,
		"nul \x00 in the middle, and at the end \x00",
		"carriage return at the end\r",
		" blanks and tabs around \t ",
		"\ufeffmark, \u2028 separator, \u202e turned, e\u0301 not composed, \U0001f511, \uffff",
		"null", "0", "1e400", "[", `"`, "''", "%s %d ?1 $1 :a @b",
		"\x01\x02\x1b[31m\x7f",
		strings.Repeat("x", 16<<10),
		strings.Repeat("\u00e9\x00\"", 4<<10),
	)
	if err := t.put(hostile); err != nil {
		return err
	}
	return t.holds(t, 0, hostile)
}

func linesNumbers(t *trial) error {
	var want [][]byte
	for i := range 5 {
		batch := lines(fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i), "same")[:1+i%3]
		if err := t.put(batch); err != nil {
			return err
		}
		want = append(want, batch...)
	}
	for from := range want {
		got, err := t.Lines(t.ctx, int64(from), len(want))
		if err = errors.Join(err, sameLines(got, want[from:])); err != nil {
			return fmt.Errorf("Lines from %d: %w", from, err)
		}
	}
	return nil
}

func linesPages(t *trial) error {
	want := lines("0", "1", "2", "3", "4")
	if err := t.put(want); err != nil {
		return err
	}
	for _, c := range []struct {
		from int64
		n    int
		want [][]byte
	}{
		{0, 0, nil},
		{0, 1, want[:1]},
		{2, 2, want[2:4]},
		{0, 5, want},
		{3, 1000, want[3:]},
		{4, math.MaxInt, want[4:]},
		{5, 10, nil},
		{math.MaxInt64, math.MaxInt, nil},
	} {
		got, err := t.Lines(t.ctx, c.from, c.n)
		if err = errors.Join(err, sameLines(got, c.want)); err != nil {
			return fmt.Errorf("Lines from %d, at most %d: %w", c.from, c.n, err)
		}
	}
	return nil
}

func manyInOneBatch(t *trial) error {
	const n = 1024
	var ls [][]byte
	var rs []vault.Row
	for i := range n {
		text := fmt.Sprintf(`{"seq":%d,"pad":%q}`, i, strings.Repeat("p", 4000))
		ls = append(ls, []byte(text))
		rs = append(rs, vault.Row{Key: fmt.Sprintf("k%04d", i), Seq: int64(i), Data: fmt.Appendf(nil, `{"i":%d}`, i)})
	}
	if err := t.commit(vault.Batch{Lines: ls, Rows: rs}); err != nil {
		return err
	}
	return t.holds(t, 0, ls, rs...)
}

func keepDrops(t *trial) error {
	if err := t.put(lines("0", "1", "2", "3"), row("a", "1")); err != nil {
		return err
	}
	if err := t.commit(vault.Batch{First: 4, Lines: lines("4", "5"), Keep: 3}); err != nil {
		return err
	}
	for from := range int64(3) {
		got, err := t.Lines(t.ctx, from, 10)
		if err = errors.Join(err, sameLines(got, nil)); err != nil {
			return fmt.Errorf("Lines from %d, a dropped line: %w", from, err)
		}
	}
	if err := t.put(lines("6")); err != nil { // Keep zero drops none
		return err
	}
	if err := t.commit(vault.Batch{First: 7, Lines: lines("7"), Keep: 2}); err != nil { // these are gone already
		return err
	}
	return t.holds(t, 3, lines("3", "4", "5", "6", "7"), at(0, row("a", "1"))...)
}

func keepNone(t *trial) error {
	if err := t.put(lines("0", "1")); err != nil {
		return err
	}
	if err := t.commit(vault.Batch{First: 2, Lines: lines("2"), Keep: 3}); err != nil {
		return err
	}
	if err := t.holds(t, 3, nil); err != nil {
		return err
	}
	if err := update(t.ctx, t, 3, vault.Batch{First: 0, Lines: lines("again")}); err == nil {
		return errors.New("number 0 was used again")
	}
	if err := t.put(lines("3")); err != nil {
		return err
	}
	return t.holds(t, 3, lines("3"))
}

func keepBeyond(t *trial) error {
	unchanged, err := t.start()
	if err != nil {
		return err
	}
	for _, keep := range []int64{5, 1 << 40, math.MaxInt64, -1} { // the batch ends with line 3
		b := full(2)
		b.Keep = keep
		if err := update(t.ctx, t, 2, b); !errors.Is(err, vault.ErrConflict) {
			return fmt.Errorf("a batch that ends with line 3 and keeps from %d: %v, want ErrConflict", keep, err)
		}
		if err := unchanged(); err != nil {
			return err
		}
	}
	b := full(2)
	b.Keep = 4 // none is left
	return t.commit(b)
}
