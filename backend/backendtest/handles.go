// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/vault"
)

func handlesFlow(t *trial) error {
	b, err := t.second()
	if err != nil {
		return err
	}
	from := t.size // a store may have none of this dir before
	a1, b1 := vault.Row{Key: "a", Seq: from, Data: []byte("1")}, vault.Row{Key: "b", Seq: from + 1, Data: []byte("2")}
	if err := t.commit(vault.Batch{First: from, Lines: lines("0"), Rows: []vault.Row{a1}}); err != nil {
		return err
	}
	if err := t.passes(b, from, a1); err != nil {
		return fmt.Errorf("written by one handle, to the other: %w", err)
	}
	if err := update(t.ctx, b, from+1, vault.Batch{First: from + 1, Lines: lines("1"), Rows: []vault.Row{b1}}); err != nil {
		return err
	}
	t.size++
	if err := t.passes(t, from+1, b1); err != nil {
		return fmt.Errorf("and back: %w", err)
	}
	if err := update(t.ctx, b, from+2, vault.Batch{First: from + 2, Lines: lines("2"), Rows: []vault.Row{{Key: "a"}}}); err != nil {
		return err
	}
	for _, s := range []vault.Store{t, b} {
		if err := errors.Join(t.passes(s, from, b1), t.holds(s, from, lines("0", "1", "2"), b1)); err != nil {
			return err
		}
	}
	return nil
}

func handlesConflict(t *trial) error {
	b, err := t.second()
	if err != nil {
		return err
	}
	if err := t.put(lines("0"), row("a", "1")); err != nil {
		return err
	}
	if err := update(t.ctx, b, 0, vault.Batch{Lines: lines("other 0"), Rows: []vault.Row{row("a", "2")}}); err == nil {
		return errors.New("two handles wrote line 0")
	}
	return errors.Join(t.holds(t, 0, lines("0"), row("a", "1")), t.holds(b, 0, lines("0"), row("a", "1")))
}

func handlesClose(t *trial) error {
	if _, err := t.start(); err != nil {
		return err
	}
	b, err := t.second()
	if err != nil {
		return err
	}
	c, err := t.second()
	if err != nil {
		return err
	}
	err = t.locked(t, func() error { return b.Close() })
	if err != nil {
		return fmt.Errorf("Close of one handle while another updates: %w", err)
	}
	if err := t.refusesWhileLocked(t, c); err != nil {
		return fmt.Errorf("after another handle was closed: %w", err)
	}
	if err := t.refusesWhileLocked(c, t); err != nil {
		return fmt.Errorf("after another handle was closed: %w", err)
	}
	return t.commit(full(2))
}

// two runs check on two handles.
func two(check func(t *trial, a, b vault.Store) error) func(*trial) error {
	return func(t *trial) error {
		b, err := t.second()
		if err != nil {
			return err
		}
		return check(t, t, b)
	}
}
