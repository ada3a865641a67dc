// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/vault"
)

// history is a short life of a store: written, replaced, removed, and cut if keep is above zero. It returns the check of
// what must stand.
func (t *trial) history(keep int64) (stands func(s vault.Store) error, err error) {
	err = errors.Join(
		t.put(lines("0 \x00\r", "1"), row("a", `{"a":1}`), row("b", "1"), row("x:b", "\x00\xff")),
		t.put(lines("2", "3"), row("a", `{"a":2}`), vault.Row{Key: "b"}, row("c", "2")),
		t.commit(vault.Batch{First: 4, Lines: lines("4"), Keep: keep}))
	a, c, x := at(2, row("a", `{"a":2}`))[0], at(2, row("c", "2"))[0], row("x:b", "\x00\xff")
	return func(s vault.Store) error {
		return errors.Join(
			t.holds(s, keep, lines("0 \x00\r", "1", "2", "3", "4")[keep:], a, c, x),
			t.passes(s, 0, a, c), t.passes(s, 2, a, c), t.passes(s, 3))
	}, err
}

func reopenStands(t *trial) error {
	stands, err := t.history(0)
	if err != nil {
		return err
	}
	for range 2 {
		if err := t.reopen(); err != nil {
			return err
		}
		if err := stands(t); err != nil {
			return fmt.Errorf("after Close and open: %w", err)
		}
	}
	if err := t.put(lines("5")); err != nil {
		return err
	}
	return t.reopen()
}

func reopenKeeps(t *trial) error {
	stands, err := t.history(5) // all lines
	if err != nil {
		return err
	}
	if err := t.reopen(); err != nil {
		return err
	}
	if err := stands(t); err != nil {
		return fmt.Errorf("after Close and open: %w", err)
	}
	if err := update(t.ctx, t, 5, vault.Batch{First: 0, Lines: lines("again")}); err == nil {
		return errors.New("number 0 was used again after a reopen")
	}
	return t.put(lines("5"))
}

func reopenEmpty(t *trial) error {
	if err := t.holds(t, 0, nil); err != nil {
		return err
	}
	if err := t.passes(t, 0); err != nil {
		return err
	}
	if err := t.reopen(); err != nil {
		return err
	}
	return t.holds(t, 0, nil)
}

func durableOnReturn(t *trial) error {
	stands, err := t.history(0)
	if err != nil {
		return err
	}
	other, err := t.second()
	if err != nil {
		return err
	}
	return stands(other)
}
