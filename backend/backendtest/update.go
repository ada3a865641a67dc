// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/vault"
)

// start fills the store with what start's cases then try to change, and returns the check that it stands unchanged.
func (t *trial) start() (unchanged func() error, err error) {
	err = t.put(lines("0", "1"), row("a", "1"), row("b", "1"), row("x:b", "1"))
	return func() error {
		err := t.holds(t, 0, lines("0", "1"), at(0, row("a", "1"), row("b", "1"), row("x:b", "1"))...)
		if err != nil {
			return fmt.Errorf("afterwards: %w", err)
		}
		return t.passes(t, 0, at(0, row("a", "1"), row("b", "1"))...)
	}, err
}

// full is a batch that would change everything that start made.
func full(first int64) vault.Batch {
	return vault.Batch{
		First: first, Lines: lines("2", "3"), Keep: 1, Scrub: true, Mark: []byte("mark"),
		Rows: []vault.Row{{Key: "a", Seq: 2, Data: []byte("2")}, {Key: "b"}, {Key: "x:b"}, {Key: "c", Seq: 2, Data: []byte("2")}},
	}
}

func fnError(t *trial) error {
	unchanged, err := t.start()
	if err != nil {
		return err
	}
	cause := errors.New("cause")
	for _, want := range []error{cause, fmt.Errorf("wrapped: %w", cause), vault.ErrDenied} {
		got := t.Update(t.ctx, 0, func([]vault.Row) (vault.Batch, error) { return full(2), want })
		if !errors.Is(got, want) {
			return fmt.Errorf("fn answered %q, Update %v", want, got)
		}
		if err := unchanged(); err != nil {
			return err
		}
	}
	return t.commit(full(2))
}

func fnPanics(t *trial) error {
	unchanged, err := t.start()
	if err != nil {
		return err
	}
	type mine struct{}
	caught := func() (p any) {
		defer func() { p = recover() }()
		return t.Update(t.ctx, 0, func([]vault.Row) (vault.Batch, error) { panic(mine{}) })
	}()
	if caught != any(mine{}) {
		return fmt.Errorf("the panic did not come through: %v", caught)
	}
	if err := unchanged(); err != nil {
		return err
	}
	return t.commit(full(2))
}

func fnOnce(t *trial) error {
	if _, err := t.start(); err != nil {
		return err
	}
	for _, c := range []struct {
		first int64
		err   error
	}{{2, errors.New("no")}, {1, nil}, {2, nil}} {
		calls := 0
		_ = t.Update(t.ctx, 2, func([]vault.Row) (vault.Batch, error) {
			calls++
			return full(c.first), c.err
		})
		if calls != 1 {
			return fmt.Errorf("fn ran %d times", calls)
		}
	}
	return nil
}

func emptyBatch(t *trial) error {
	unchanged, err := t.start()
	if err != nil {
		return err
	}
	for _, b := range []vault.Batch{
		{},         // First is not looked at
		{First: 2}, // nor does it matter
		{First: 2, Keep: 2, Scrub: true, Mark: []byte("mark")},
		{First: 2, Lines: [][]byte{}, Rows: []vault.Row{}},
	} {
		if err := t.commit(b); err != nil {
			return err
		}
		if err := unchanged(); err != nil {
			return err
		}
	}
	return t.commit(full(2))
}

func firstMismatch(t *trial) error {
	unchanged, err := t.start()
	if err != nil {
		return err
	}
	for _, first := range []int64{0, 1, 3, -1, 1 << 40} {
		b := full(first)
		alone := vault.Batch{First: first, Rows: b.Rows}
		for _, b := range []vault.Batch{b, alone} {
			if err := update(t.ctx, t, 2, b); err == nil {
				return fmt.Errorf("a batch of %d lines and %d rows that begins with line %d was taken, the next line is 2", len(b.Lines), len(b.Rows), first)
			}
			if err := unchanged(); err != nil {
				return err
			}
		}
	}
	return t.commit(full(2))
}

func scrubAndMark(t *trial) error {
	if _, err := t.start(); err != nil {
		return err
	}
	err := errors.Join(
		t.commit(vault.Batch{First: 2, Lines: lines("2"), Mark: make([]byte, 440)}),
		t.commit(vault.Batch{First: 3, Lines: lines("3"), Scrub: true, Mark: []byte{},
			Rows: []vault.Row{{Key: "a", Seq: 3, Data: []byte("2")}, {Key: "x:b"}}}))
	if err != nil {
		return err
	}
	return t.holds(t, 0, lines("0", "1", "2", "3"), at(3, row("a", "2"))[0], row("b", "1"))
}
