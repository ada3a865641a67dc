// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/vault"
)

// marker is a store with a head file: Mark answers the newest Batch.Mark that it holds, nil if there was none.
type marker interface {
	Mark(ctx context.Context) ([]byte, error)
}

// shows checks what s answers for Mark.
func (t *trial) shows(s vault.Store, want []byte) error {
	if s == vault.Store(t) {
		s = t.Store
	}
	m, ok := s.(marker)
	if !ok {
		return skip("the store has no head file: no method Mark")
	}
	for range 2 { // the second time after a change to what the first gave out
		got, err := m.Mark(t.ctx)
		if err != nil {
			return fmt.Errorf("Mark: %w", err)
		}
		if !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			return fmt.Errorf("Mark answers %s, want %s", show(got), show(want))
		}
		clear(got)
	}
	return nil
}

// marked commits a line with a mark.
func (t *trial) marked(s vault.Store, mark []byte) error {
	given := bytes.Clone(mark)
	err := update(t.ctx, s, t.size, vault.Batch{First: t.size, Lines: lines("line"), Mark: given})
	if err == nil {
		t.size++
		clear(given)
	}
	return err
}

func markNewest(t *trial) error {
	if err := t.shows(t, nil); err != nil {
		return err
	}
	long := bytes.Repeat([]byte("m\x00"), 220)
	for _, mark := range [][]byte{[]byte("1"), long, []byte("2"), []byte("3")} {
		if err := t.marked(t, mark); err != nil {
			return err
		}
		if err := t.shows(t, mark); err != nil {
			return err
		}
	}
	for _, none := range [][]byte{nil, {}} {
		if err := t.marked(t, none); err != nil {
			return err
		}
		if err := t.shows(t, []byte("3")); err != nil {
			return fmt.Errorf("after a batch without a mark: %w", err)
		}
	}
	return nil
}

func markReopen(t *trial) error {
	if err := t.shows(t, nil); err != nil {
		return err
	}
	for _, mark := range [][]byte{nil, []byte("1"), []byte("2"), []byte("3")} {
		if err := t.marked(t, mark); err != nil {
			return err
		}
		closed := t.Store
		if err := t.reopen(); err != nil {
			return err
		}
		if err := t.shows(t, mark); err != nil {
			return fmt.Errorf("after a reopen: %w", err)
		}
		if _, err := closed.(marker).Mark(t.ctx); !errors.Is(err, vault.ErrClosed) {
			return fmt.Errorf("Mark after Close: %v, want ErrClosed", err)
		}
	}
	return nil
}

func markFailed(t *trial) error {
	if err := t.shows(t, nil); err != nil {
		return err
	}
	if err := t.marked(t, []byte("1")); err != nil {
		return err
	}
	cause := errors.New("cause")
	for _, fail := range []struct {
		how   string
		batch vault.Batch
		err   error
	}{
		{"fn fails", vault.Batch{First: 1, Lines: lines("line"), Mark: []byte("2")}, cause},
		{"First is wrong", vault.Batch{First: 2, Lines: lines("line"), Mark: []byte("2")}, nil},
		{"the mark is too long", vault.Batch{First: 1, Lines: lines("line"), Mark: make([]byte, 441)}, nil},
	} {
		err := t.Update(t.ctx, 1, func([]vault.Row) (vault.Batch, error) { return fail.batch, fail.err })
		if err == nil {
			return fmt.Errorf("%s, and Update answers nil", fail.how)
		}
		if err := t.shows(t, []byte("1")); err != nil {
			return fmt.Errorf("%s: %w", fail.how, err)
		}
	}
	if err := t.commit(vault.Batch{First: 7, Mark: []byte("2")}); err != nil { // without lines and rows: commits nothing
		return err
	}
	if err := t.shows(t, []byte("1")); err != nil {
		return fmt.Errorf("nothing was committed: %w", err)
	}
	return t.holds(t, 0, lines("line"))
}

func markHandles(t *trial) error {
	if err := t.shows(t, nil); err != nil {
		return err
	}
	b, err := t.second()
	if err != nil {
		return err
	}
	for i, s := range []vault.Store{t, b, b, t, b, t, t} {
		mark := fmt.Append(nil, "mark ", i)
		if err := t.marked(s, mark); err != nil {
			return err
		}
		for _, s := range []vault.Store{t, b} {
			if err := t.shows(s, mark); err != nil {
				return fmt.Errorf("written by one of two handles: %w", err)
			}
		}
	}
	return nil
}
