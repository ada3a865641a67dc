// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/keyward-go/keyward/audit"
)

// Backup writes a copy of the whole vault to w, as it is at one head of its log, while other callers work. It holds neither
// the root key nor the anchor, no value, token or key in the clear, and no record that was archived; what it holds in the
// clear is what the store does: paths, names, metadata and records. Restore makes a vault of it. Keep it as the store is
// kept: whoever has it and the root key has every value.
//
// The record is durable before the first byte is written, so the backup holds it too, and it stays if Backup fails. What w
// got is a backup only if Backup returns nil; w is neither synced nor closed. Writes are of about 1 MiB. ctx is looked at between
// them. A version that is deleted while Backup runs is in it only as ciphertext without its key, unless it is deleted
// while the rows that decide are copied, which come last.
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

var errMoved = fmt.Errorf("%w: keys were rotated or the log was archived meanwhile; back up again", ErrConflict)

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
	mac   hash.Hash       // of rows
}

func (b *backup) run() error {
	h, edge, err := b.v.begin(b.ctx)
	if err != nil {
		return err
	}
	b.head, b.tree, b.since, b.mac = h, edge, h.size, b.v.keys().sub(labelRow)
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
	if err := b.out.header(backupHeader{backupFormat, ring.id.String(), b.head.appendMark(nil, ring.sub(labelMark))}); err != nil {
		return err
	}
	err := b.copy(keyringKey)
	if err == nil && b.head.first > 0 {
		err = b.copy(cutKey)
	}
	if err != nil {
		return err
	}
	return b.out.flush()
}

// copy writes one row, which must be there.
func (b *backup) copy(key string) error {
	r, err := b.row(key)
	if err == nil && r.Key == "" {
		err = fmt.Errorf("%w: the store has no row %s", ErrTampered, key)
	}
	if err != nil {
		return err
	}
	return b.out.row(r)
}

func (b *backup) row(key string) (r Row, err error) {
	err = b.v.reading(b.ctx, func() error {
		r, err = readRow(b.ctx, b.v.store, key)
		return err
	})
	return r, err
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
	return b.v.pages(b.ctx, "v:", "v;", pageRows, func(r Row) error {
		if r.Seq >= b.since {
			return nil
		}
		return b.sealed(r)
	})
}

// sealed writes the sealed value of a version, whose row is given.
func (b *backup) sealed(r Row) error {
	k, e, err := readEntry(b.mac, r)
	if err != nil {
		return err
	}
	version, ok := e.row.(*versionRow)
	if !ok || version.Gone {
		return nil
	}
	x, err := b.row(rowKey{'x', k.name, k.n}.String())
	if err != nil {
		return err
	}
	if x.Key == "" || sha256.Sum256(x.Data) != version.Sum {
		b.lost[k] = true
		return nil
	}
	return b.out.row(x)
}

// decidingPages writes the rows that no later line wrote.
func (b *backup) decidingPages() error {
	return b.v.pages(b.ctx, "", sealedRows, pageRows, func(r Row) error {
		if r.Key == headKey || r.Key == keyringKey || r.Key == cutKey || r.Seq >= b.since {
			return nil
		}
		k, e, err := readEntry(b.mac, r)
		if err != nil {
			return err
		}
		var known entry
		b.v.look(func(w view) { known = w.get(k) })
		if known.row == nil && k.kind == 't' {
			return nil // purged meanwhile
		}
		if known.seq < b.since && (known.seq != e.seq || known.mac != e.mac) {
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
			return fmt.Errorf("%w: the sealed value of %s, version %d, is not the one that was put: restore the last good backup, or delete the version and back up what is left", ErrTampered, k.name, k.n)
		}
		if len(b.lost) == 0 {
			return nil
		}
		b.since = h.size
	}
	return fmt.Errorf("%w: versions are deleted faster than they can be copied; back up again", ErrBusy)
}
