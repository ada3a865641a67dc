// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/keyward-go/keyward/audit"
)

const labelMark = "mark"

// marker is a Store with a head file, which holds the Mark of the newest Batch outside of what it stores. If it is lost Mark
// answers ErrRollback, or ErrTampered where it cannot be read, and Update makes it anew for a Batch that says Renew.
type marker interface {
	Mark(ctx context.Context) ([]byte, error)
}

// marked is what a head file knows of a head: the fields of its row, size and root.
type marked struct {
	head // without the tree
	root [32]byte
}

func (m *marked) log() audit.Head { return audit.Head{Size: m.size, Root: m.root} }

const markSize = headFields + 8 + 32 + macSize

// appendMark writes it, and an HMAC of it. That of the row binds the sum of all rows, which nobody knows of an earlier head.
func (h *head) appendMark(dst []byte, m hash.Hash) []byte {
	start, root := len(dst), h.log().Root
	dst = binary.BigEndian.AppendUint64(h.appendFields(dst), uint64(h.size))
	dst = append(dst, root[:]...)
	m.Reset()
	m.Write(dst[start:])
	return m.Sum(dst)
}

// parseMark reads it back.
func (k *keyring) parseMark(mark []byte) (h marked, err error) {
	if len(mark) == markSize {
		m := k.sub(labelMark)
		m.Write(mark[:markSize-macSize])
		if hmac.Equal(m.Sum(nil), mark[markSize-macSize:]) {
			h.size = int64(binary.BigEndian.Uint64(mark[headFields:]))
			copy(h.root[:], mark[headFields+8:])
			err = h.parseFields(mark[:headFields])
			return h, err
		}
	}
	return h, fmt.Errorf("%w: the head file is another vault's or was changed", ErrTampered)
}

// loadMark reads the head file, if there is one: before the head, so that the log is at least as long.
func (v *core) loadMark(ctx context.Context) (mark []byte, err error) {
	if v.headFile == nil {
		return nil, nil
	}
	err = contain(func() error { // the store may be a user's own
		mark, err = v.headFile.Mark(ctx)
		return err
	})
	return mark, err
}

// checkMark holds the log against the head file: that lies outside of the store, so it shows when a part of the store is
// missing, or an older one was put in its place.
func (v *core) checkMark(ctx context.Context, mark []byte) error {
	if v.headFile == nil {
		return nil
	}
	late := mark == nil // the vault was just being made
	if late {
		var err error
		if mark, err = v.loadMark(ctx); err != nil {
			return err
		}
	}
	h := v.state.head
	switch {
	case mark == nil && (h.size == 1 || h.reset == h.size-1):
		return v.firstMark(ctx)
	case mark == nil:
		return fmt.Errorf("%w: the head file is new, the log has %d records", ErrRollback, h.size)
	}
	m, err := v.keys().parseMark(mark)
	if err != nil || late && m.size > h.size {
		return err
	}
	if err = v.mustContain(ctx, m.log(), head{}, "the head file"); errors.Is(err, errBelow) {
		return nil // it fell behind before the records were archived
	}
	return err
}

// firstMark is for a vault where a crash came between the commit that made it, by Open or Restore, and the mark of that. It is
// written now, with the head as it is: if only the next commit brought it, another crash could come between those. A Restore
// is known by its reset, so a head file that went right behind another reset passes for this too.
func (v *core) firstMark(ctx context.Context) error {
	b, h := v.newBatch(), v.state.head
	row, err := h.append(nil, &b.headMAC, v.state.sum)
	if err != nil {
		return err
	}
	return updateStore(ctx, v.store, h.size, newUpdate(func(changed []Row) (Batch, error) {
		if len(changed) > 0 { // by a process that writes marks of its own
			return Batch{}, nil
		}
		return Batch{First: h.size, Rows: []Row{{headKey, h.size - 1, row}}, Mark: h.appendMark(nil, b.markMAC)}, nil
	}))
}

// errBelow: what is to be compared with the log lies before its cut.
var errBelow = fmt.Errorf("%w: it was archived", ErrRollback)

// mustContain is ErrRollback unless the log, up to the head as this process knows it, has had the given head. past is a head
// of this log, or none: what is below it is not read if the given one is not.
func (v *core) mustContain(ctx context.Context, old audit.Head, past head, where string) error {
	for range tries {
		v.mu.RLock()
		h := v.state.head
		v.mu.RUnlock()
		if old.Size < 1 || old.Size > h.size {
			return fmt.Errorf("%w: %s knows %d records, the log has %d to %d", ErrRollback, where, old.Size, h.first, h.size)
		}
		if old.Size < h.first {
			return fmt.Errorf("%w: %s knows %d records, the log has %d to %d", errBelow, where, old.Size, h.first, h.size)
		}
		got, err := v.headAt(ctx, h, old.Size, past)
		if err == nil && got != old {
			return fmt.Errorf("%w: at record %d %s knows another history than the log", ErrRollback, old.Size, where)
		}
		if !errors.Is(err, errCut) {
			return err
		}
		if err := v.update(ctx, v.newBatch()); err != nil { // another process may have archived
			return err
		}
	}
	return errCut
}

// headAt is the head that the log had at a size, if it leads to h; errCut if it does not begin where h says.
func (v *core) headAt(ctx context.Context, h head, size int64, past head) (audit.Head, error) {
	edge := past.tree
	if past.size > size || past.size < h.first {
		var err error
		if edge, err = v.edge(ctx, h.first); err == nil && edge.Head().Size != h.first {
			err = errCut
		}
		if err != nil {
			return audit.Head{}, err
		}
	}
	got, err := h.tree.HeadAt(size, edge, func(from int64, n int) ([][]byte, error) {
		lines, err := readLines(ctx, v.store, from, n)
		if err == nil && len(lines) == 0 {
			err = errCut
		}
		return lines, err
	})
	if tampered := (*audit.TamperError)(nil); errors.As(err, &tampered) {
		err = fmt.Errorf("%w: %w", ErrTampered, err)
	}
	return got, err
}
