// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"hash"
)

// load opens an existing vault. It reads the head, and the deciding rows as they were at that head or later, then catches up
// with what has changed since, as any batch does. The sum of the rows must fit the MAC of the newest head.
func (v *core) load(ctx context.Context, root RootKey) error {
	h, _, err := v.loadHead(ctx)
	if err != nil {
		return err
	}
	keys, err := v.loadKeyring(ctx, root, h.id)
	if err != nil {
		return err
	}
	v.ring.Store(keys)
	v.state.head = h
	b := v.newBatch()
	b.reread = h.size // so the head is among what is held against its MAC
	if err := v.loadRows(ctx, b.rowMAC); err != nil {
		return err
	}
	if err := v.update(ctx, b); err != nil {
		return err
	}
	if v.state.head.generation != v.keys().generation {
		return errUnfit
	}
	if lines, err := readLines(ctx, v.store, v.state.head.size-1, 1); err != nil || len(lines) != 1 {
		return errors.Join(err, fmt.Errorf("%w: the log is shorter than its head", ErrTampered))
	}
	return nil
}

func (v *core) loadHead(ctx context.Context) (head, []byte, error) {
	r, err := readRow(ctx, v.store, headKey)
	if err != nil {
		return head{}, nil, err
	}
	if r.Key == headKey {
		return parseHead(r.Data)
	}
	if any, err := readRows(ctx, v.store, "", 1); err != nil || len(any) == 0 {
		return head{}, nil, errors.Join(err, fmt.Errorf("%w: the store is empty: Restore needs a backup", ErrInvalid))
	}
	if err := v.unfinished(ctx); err != nil {
		return head{}, nil, err
	}
	return head{}, nil, fmt.Errorf("%w: the store is not empty and has no head: it is not a vault, or not a whole one", ErrTampered)
}

func (v *core) loadKeyring(ctx context.Context, root RootKey, id vaultID) (*keyring, error) {
	r, err := readRow(ctx, v.store, keyringKey)
	if err == nil && r.Key == "" {
		err = fmt.Errorf("%w: the store has no keyring", ErrTampered)
	}
	if err != nil {
		return nil, err
	}
	return openKeyringRow(ctx, root, id, r.Data)
}

// loadRows reads all rows but the sealed values. Behind those format 1 has none.
func (v *core) loadRows(ctx context.Context, mac hash.Hash) error {
	err := v.pages(ctx, "", sealedRows, pageRows, func(r Row) error {
		if r.Key == headKey || r.Key == keyringKey || r.Key == cutKey {
			return nil
		}
		return v.loadRow(mac, r)
	})
	if err != nil {
		return err
	}
	rows, err := readRows(ctx, v.store, behindSealed, 1)
	if err == nil && len(rows) > 0 {
		err = fmt.Errorf("%w: unknown row", ErrTampered)
	}
	return err
}

func (v *core) loadRow(mac hash.Hash, r Row) error {
	k, e, err := readEntry(mac, r)
	if err == nil {
		v.state.set(k, e)
	}
	return err
}
