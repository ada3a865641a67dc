// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"hash"

	"github.com/keyward-go/keyward/audit"
)

const labelMark = "mark"

// marker is a Store with a head file, which holds the Mark of the newest Batch outside of what it stores.
type marker interface {
	Mark(ctx context.Context) ([]byte, error)
}

// appendMark writes what the head file keeps of a head: the fields of its row, and an HMAC of them. That of the row binds
// the sum of all rows, which nobody knows of an earlier head.
func (h *head) appendMark(dst []byte, m hash.Hash) []byte {
	start := len(dst)
	dst = h.appendFields(dst)
	m.Reset()
	m.Write(dst[start:])
	return m.Sum(dst)
}

// parseMark reads it back.
func (k *keyring) parseMark(mark []byte) (h head, err error) {
	if len(mark) == headFields+32 {
		m := k.sub(labelMark)
		m.Write(mark[:headFields])
		if hmac.Equal(m.Sum(nil), mark[headFields:]) {
			err = h.parseFields(mark[:headFields])
			return h, err
		}
	}
	return h, fmt.Errorf("%w: the head file is another vault's or was changed", ErrTampered)
}

// loadMark reads the head file, if there is one: before the head, so that the log is at least as long.
func (v *core) loadMark(ctx context.Context) (mark []byte, err error) {
	if m, ok := v.store.(marker); ok {
		v.marks = true
		err = contain(func() error { // the store may be a user's own
			mark, err = m.Mark(ctx)
			return err
		})
	}
	return mark, err
}

// checkMark holds the log against the head file: that lies outside of the store, so it shows when a part of the store is
// missing, or an older one was put in its place.
func (v *core) checkMark(ctx context.Context, mark []byte) error {
	h := v.state.head
	if !v.marks || mark == nil && (h.log.Size == 1 || h.reset == h.log.Size-1) { // a crash came between the first commit and its mark
		return nil
	}
	late := mark == nil // the vault was just being made
	if late {
		var err error
		if mark, err = v.loadMark(ctx); err != nil {
			return err
		}
	}
	if mark == nil {
		return fmt.Errorf("%w: the head file is new, the log has %d records", ErrRollback, h.log.Size)
	}
	m, err := v.keys().parseMark(mark)
	if err != nil || late && m.log.Size > h.log.Size {
		return err
	}
	return v.mustContain(ctx, m.log, "the head file")
}

// mustContain is ErrRollback unless the log, up to the head as this process knows it, has had the given head. What was
// archived is not there to be asked.
func (v *core) mustContain(ctx context.Context, old audit.Head, where string) error {
	v.mu.RLock()
	h := v.state.head
	v.mu.RUnlock()
	if old.Size < h.first {
		return nil
	}
	if old.Size > h.log.Size {
		return fmt.Errorf("%w: %s knows %d records, the log has %d", ErrRollback, where, old.Size, h.log.Size)
	}
	var edge audit.Tree
	if h.first > 0 {
		var err error
		if edge, err = v.readCut(ctx); err != nil || old.Size < edge.Head().Size { // archived just now
			return err
		}
	}
	got, err := h.tree.HeadAt(old.Size, edge, func(from int64, n int) ([][]byte, error) { return v.readLines(ctx, from, n) })
	if tampered := (*audit.TamperError)(nil); errors.As(err, &tampered) {
		return fmt.Errorf("%w: %w", ErrTampered, err)
	}
	if err != nil {
		return err
	}
	if got != old {
		return fmt.Errorf("%w: at record %d %s knows another history than the log", ErrRollback, old.Size, where)
	}
	return nil
}
