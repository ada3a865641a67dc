// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"
	"hash"
)

// load opens an existing vault. It reads the head, and the deciding rows as they were at that head or later, then catches up
// with what has changed since, as any batch does. The sum of the rows must fit the MAC of the newest head.
func (v *core) load(ctx context.Context, root RootKey) error {
	h, err := v.loadHead(ctx)
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
	lines, err := readLines(ctx, v.store, v.state.head.size-1, 1)
	if err == nil && len(lines) == 0 {
		err = fmt.Errorf("%w: the log is shorter than its head", ErrTampered)
	}
	return err
}

// loadHead reads the head. Whether it is the vault's is for its MAC.
func (v *core) loadHead(ctx context.Context) (head, error) {
	r, err := readRow(ctx, v.store, headKey)
	if err != nil {
		return head{}, err
	}
	if r.Key == headKey {
		h, _, err := parseHead(r.Data)
		return h, err
	}
	rows, err := readRows(ctx, v.store, "", 1)
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("%w: the store is empty: Restore needs a backup", ErrInvalid)
	}
	if err == nil {
		err = v.unfinished(ctx)
	}
	if err != nil {
		return head{}, err
	}
	return head{}, fmt.Errorf("%w: the store is not empty and has no head: it is not a vault, or not a whole one", ErrTampered)
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
