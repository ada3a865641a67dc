// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
)

// load opens an existing vault. It pages through the deciding rows as they were at the head or later, then takes in what has
// changed since while every writer is locked out, and compares the sum with the MAC of the head.
func (v *core) load(ctx context.Context, root RootKey) error {
	h, mac, err := v.loadHead(ctx)
	if err != nil {
		return err
	}
	keys, err := v.loadKeyring(ctx, root, h.id)
	if err != nil {
		return err
	}
	v.use(keys)
	b := v.newBatch()
	if err := v.loadRows(ctx, b); err != nil {
		return err
	}
	checked, before, turned := errNoUpdate, h, false
	err = v.store.Update(ctx, h.size, func(changed []Row) (Batch, error) {
		for _, r := range changed {
			switch r.Key {
			case headKey:
				h, mac, err = parseHead(r.Data)
			case keyringKey:
				turned = true
			case cutKey:
			default:
				err = v.loadRow(b, r)
			}
			if err != nil {
				return Batch{}, err
			}
		}
		v.dropGone(before, h)
		checked = b.headMAC.verify(&h, v.state.sum, mac)
		return Batch{}, checked
	})
	if err == nil {
		err = checked
	}
	if err != nil {
		return err
	}
	switch {
	case h.id != keys.id || h.generation < keys.generation || h.generation > keys.generation && !turned:
		return errUnfit
	case h.generation > keys.generation:
		return errFollow
	}
	v.state.head = h
	if lines, err := v.store.Lines(ctx, h.size-1, 1); err != nil || len(lines) != 1 {
		return errors.Join(err, fmt.Errorf("%w: the log is shorter than its head", ErrTampered))
	}
	return nil
}

// dropGone takes out the rows of tokens that were removed while the rows were read.
func (v *core) dropGone(before, h head) (gone []rowKey) {
	if h.purged == before.purged && h.reset == before.reset {
		return nil
	}
	for k, e := range v.state.rows {
		if r, ok := e.row.(*tokenRow); ok && (r.Expires < h.purged || e.seq < h.reset) {
			v.state.set(k, entry{})
			gone = append(gone, k)
		}
	}
	return gone
}

func (v *core) loadHead(ctx context.Context) (head, []byte, error) {
	rows, err := v.store.Rows(ctx, headKey, 1)
	if err != nil {
		return head{}, nil, err
	}
	if len(rows) != 1 || rows[0].Key != headKey {
		if any, err := v.store.Rows(ctx, "", 1); err != nil || len(any) == 0 {
			return head{}, nil, errors.Join(err, fmt.Errorf("%w: the store is empty: Restore needs a backup", ErrInvalid))
		}
		if err := v.unfinished(ctx); err != nil {
			return head{}, nil, err
		}
		return head{}, nil, fmt.Errorf("%w: the store is not empty and has no head: it is not a vault, or not a whole one", ErrTampered)
	}
	return parseHead(rows[0].Data)
}

func (v *core) loadKeyring(ctx context.Context, root RootKey, id vaultID) (*keyring, error) {
	rows, err := v.store.Rows(ctx, keyringKey, 1)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 || rows[0].Key != keyringKey {
		return nil, fmt.Errorf("%w: the store has no keyring", ErrTampered)
	}
	return openKeyringRow(ctx, root, id, rows[0].Data)
}

// loadRows reads all rows but the sealed values. A page is read while the one before is decoded.
func (v *core) loadRows(ctx context.Context, b *batch) error {
	next := v.rowsFrom(ctx, "")
	for {
		p := <-next
		if p.err != nil {
			return p.err
		}
		end := len(p.rows) < pageRows || p.rows[len(p.rows)-1].Key >= sealedRows
		if !end {
			next = v.rowsFrom(ctx, p.rows[len(p.rows)-1].Key+"\x00")
		}
		for _, r := range p.rows {
			if r.Key == headKey || r.Key == keyringKey || r.Key == cutKey || r.Key >= sealedRows {
				continue
			}
			if err := v.loadRow(b, r); err != nil {
				if !end {
					<-next // the store is not closed under a read
				}
				return err
			}
		}
		if end {
			return v.noneBehind(ctx)
		}
	}
}

type rowPage struct {
	rows []Row
	err  error
}

func (v *core) rowsFrom(ctx context.Context, from string) <-chan rowPage {
	page := make(chan rowPage, 1)
	go func() {
		var p rowPage
		p.err = contain(func() (err error) { // the store may be a user's own
			p.rows, err = v.store.Rows(ctx, from, pageRows)
			return err
		})
		page <- p
	}()
	return page
}

// noneBehind refuses a store with rows behind the sealed values: format 1 has none.
func (v *core) noneBehind(ctx context.Context) error {
	rows, err := v.store.Rows(ctx, behindSealed, 1)
	if err == nil && len(rows) > 0 {
		err = fmt.Errorf("%w: unknown row", ErrTampered)
	}
	return err
}

func (v *core) loadRow(b *batch, r Row) error {
	k, err := parseRowKey(r.Key)
	if err != nil {
		return err
	}
	row, err := decodeRow(k, r.Data)
	if err != nil {
		return err
	}
	v.state.set(k, entry{row: row, seq: r.Seq, mac: rowMAC(b.rowMAC, r.Key, r.Seq, r.Data)})
	return nil
}
