// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/keyward-go/keyward/audit"
)

var opBackup = &operation{name: "backup", check: (*call).checkNothing, decide: decideAny}

// Backup writes a copy of the whole vault to w, as it is at one head of its log, while other callers work. It holds neither
// the root key nor the anchor, no value, token or key in the clear, and no record that was archived; what it holds in the
// clear is what the store does: paths, names, metadata and records. Restore makes a vault of it. Keep it as the store is
// kept: whoever has it and the root key has every value.
//
// The record is durable before the first byte is written, so the backup holds it too, and it stays if Backup fails. What w
// got is a backup only if Backup returns nil; w is neither synced nor closed. Writes are of about 1 MiB. ctx is looked at between
// them. A version that is deleted while Backup runs is in it only as ciphertext without its key, unless it is deleted
// after the head was read, which comes last.
//
// Errors: those of every operation, of w and of ctx; ErrConflict if the log was archived or keys were rotated meanwhile:
// back up again; ErrTampered if the store is not what this process knows it to be.
func (o *Operator) Backup(ctx context.Context, w io.Writer, reason string) error {
	if w == nil {
		return fmt.Errorf("vault: backup: %w: the writer is nil", ErrInvalid)
	}
	c := &call{op: opBackup, by: o.session, req: Request{Reason: reason}}
	if err := o.do(ctx, c); err != nil {
		return err
	}
	b := &backup{v: o.core(), ctx: ctx, out: newBackupWriter(ctx, w), lost: map[rowKey]bool{}}
	if err := b.run(); err != nil {
		return c.wrap(err)
	}
	return nil
}

// backup is one copy. A row stands behind the line of the log that wrote it, a sealed value before the row that holds its
// key, and a later row over an earlier one of its key.
type backup struct {
	v     *core
	ctx   context.Context
	out   *backupWriter
	head  head            // at which the copy began
	tree  audit.Tree      // of the lines written
	since int64           // rows of earlier lines are read in pages, the others come with the head
	lost  map[rowKey]bool // versions that were deleted before their value could be read
}

func (b *backup) run() error {
	h, edge, err := b.v.begin(b.ctx)
	if err != nil {
		return err
	}
	b.head, b.tree, b.since = h, edge, h.size
	for _, step := range []func() error{
		b.opening,
		func() error { return b.lines(b.since) },
		b.sealedPages,
		b.decidingPages,
		b.changes,
		b.out.end,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// opening writes what a restore needs first: the keyring and, if the log does not begin with record 0, the row that says
// where it does.
func (b *backup) opening() error {
	ring := b.v.keys()
	err := b.out.header(backupHeader{backupFormat, ring.id.String(), b.head.appendMark(nil, ring.sub(labelMark))})
	keys := []string{keyringKey, cutKey}
	if b.head.first == 0 {
		keys = keys[:1]
	}
	for _, key := range keys {
		var rows []Row
		if err == nil {
			rows, err = b.v.page(b.ctx, key, 1)
		}
		if err == nil && (len(rows) != 1 || rows[0].Key != key) {
			err = fmt.Errorf("%w: the store has no row %s", ErrTampered, key)
		}
		if err == nil {
			err = b.out.row(rows[0])
		}
	}
	if err != nil {
		return err
	}
	return b.out.flush()
}

// lines writes the lines of the log up to a size.
func (b *backup) lines(size int64) error {
	page := readAhead(b.v.lines(b.ctx))
	for at := b.tree.Head().Size; at < size; at = b.tree.Head().Size {
		lines, err := page(at, int(min(pageLines, size-at)))
		if err == nil && len(lines) == 0 {
			err = b.v.missing(b.ctx, at)
		}
		if errors.Is(err, ErrNotFound) { // it was archived
			err = errMoved
		}
		if err != nil {
			return err
		}
		for _, line := range lines {
			b.tree.Append(line)
			if err := b.out.line(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// sealedPages writes the sealed values of the versions that are there.
func (b *backup) sealedPages() error {
	return b.v.pages(b.ctx, "v:", "v;", func(r Row) error {
		if r.Seq >= b.since {
			return nil
		}
		return b.sealed(r)
	})
}

// sealed writes the sealed value of a version, whose row is given.
func (b *backup) sealed(r Row) error {
	k, err := parseRowKey(r.Key)
	if err != nil {
		return err
	}
	row, err := decodeRow(k, r.Data)
	if err != nil {
		return err
	}
	version, ok := row.(*versionRow)
	if !ok || version.Gone {
		return nil
	}
	key := rowKey{'x', k.name, k.n}.String()
	rows, err := b.v.page(b.ctx, key, 1)
	if err != nil {
		return err
	}
	if len(rows) != 1 || rows[0].Key != key || sha256.Sum256(rows[0].Data) != version.Sum {
		b.lost[k] = true
		return nil
	}
	return b.out.row(rows[0])
}

// decidingPages writes the rows that no later line wrote.
func (b *backup) decidingPages() error {
	mac := b.v.keys().sub(labelRow)
	return b.v.pages(b.ctx, "", sealedRows, func(r Row) error {
		if r.Key == headKey || r.Key == keyringKey || r.Key == cutKey || r.Seq >= b.since {
			return nil
		}
		k, err := parseRowKey(r.Key)
		if err != nil {
			return err
		}
		var known entry
		b.v.look(func(w view) { known = w.get(k) })
		if known.row == nil && k.kind == 't' {
			return nil // purged meanwhile
		}
		if known.seq < b.since && (known.seq != r.Seq || known.mac != rowMAC(mac, r.Key, r.Seq, r.Data)) {
			return fmt.Errorf("%w: a row is not the one that was written", ErrTampered)
		}
		return b.out.row(r)
	})
}

// changeTries is how often a value may be deleted between the head and its copy.
const changeTries = 16

// changes writes the head, and what stands behind the pages.
func (b *backup) changes() error {
	for range changeTries {
		lost := b.lost
		b.lost = map[rowKey]bool{}
		rows, h, err := b.v.rowsSince(b.ctx, b.since)
		if err == nil {
			err = b.lines(h.size)
		}
		if err != nil {
			return err
		}
		if b.tree != h.tree {
			return fmt.Errorf("%w: the lines of the log are not those of its head", ErrTampered)
		}
		for _, r := range rows {
			if r.Key == keyringKey || r.Key == cutKey {
				return errMoved
			}
			if err := b.out.row(r); err != nil {
				return err
			}
			if k, err := parseRowKey(r.Key); err == nil && k.kind == 'v' {
				delete(lost, k)
				if err := b.sealed(r); err != nil {
					return err
				}
			}
		}
		for k := range lost {
			return fmt.Errorf("%w: the sealed value of %s, version %d, is not the one that was put: put an older copy of the store back, or delete the version and back up what is left", ErrTampered, k.name, k.n)
		}
		if len(b.lost) == 0 {
			return nil
		}
		b.since = h.size
	}
	return fmt.Errorf("%w: versions are deleted faster than they can be copied; back up again", ErrBusy)
}

// page reads rows, as long as the vault is open.
func (v *core) page(ctx context.Context, from string, n int) (rows []Row, err error) {
	if err := v.enter(); err != nil {
		return nil, err
	}
	defer v.leave()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = contain(func() error { // the store may be a user's own
		rows, err = v.store.Rows(ctx, from, n)
		return err
	})
	return rows, err
}

// pages calls f with the rows from one key up to another.
func (v *core) pages(ctx context.Context, from, to string, f func(Row) error) error {
	for {
		rows, err := v.page(ctx, from, pageRows)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Key >= to {
				return nil
			}
			if err := f(r); err != nil {
				return err
			}
		}
		if len(rows) < pageRows {
			return nil
		}
		from = rows[len(rows)-1].Key + "\x00"
	}
}

// rowsSince returns the rows of line since and later, and the head, whose MAC fits what this process knows with them.
// They are of one moment, at which every writer is locked out.
func (v *core) rowsSince(ctx context.Context, since int64) (rows []Row, h head, err error) {
	if err := v.enter(); err != nil {
		return nil, h, err
	}
	defer v.leave()
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-ctx.Done():
		return nil, h, ctx.Err()
	}
	if v.broken != nil {
		return nil, h, v.broken
	}
	b, ran := v.newBatch(), errNoUpdate
	err = contain(func() error {
		return v.store.Update(ctx, since-1, func(changed []Row) (Batch, error) { // the head is always of since-1 or later
			rows, h, ran = v.changedSince(b, since, changed)
			return Batch{}, ran
		})
	})
	if err == nil {
		err = ran
	}
	if ran == errFollow {
		err = errMoved
	}
	return rows, h, err
}

var errMoved = fmt.Errorf("%w: keys were rotated or the log was archived meanwhile; back up again", ErrConflict)

func (v *core) changedSince(b *batch, since int64, changed []Row) (rows []Row, h head, err error) {
	var missed []Row // by this process
	var mac []byte
	for _, r := range changed {
		if r.Seq >= v.state.head.size {
			missed = append(missed, r)
		}
		if r.Key == headKey {
			if h, mac, err = parseHead(r.Data); err != nil {
				return nil, h, err
			}
		} else if r.Seq < since {
			continue
		}
		rows = append(rows, r)
	}
	if err := b.start(v, v.clock.read(), missed); err != nil {
		return nil, h, err
	}
	if h.tree != b.head.tree {
		return nil, h, fmt.Errorf("%w: the store has no head", ErrTampered)
	}
	return rows, h, b.headMAC.verify(&h, b.sum, mac)
}
