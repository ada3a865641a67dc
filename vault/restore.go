// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/keyward-go/keyward/audit"
)

// Restore opens a vault from a backup, into a store that is empty, or, with a nil backup, the vault of a store that is older
// than its head file or anchor, or whose head file is lost or cannot be read, which Open refuses. Either way whoever
// restores vouches that this is the state to go on from, and what was revoked or used up since is not known. So in one
// commit, before anything else can happen: the token key is replaced, and all tokens are dead; every agent key and remote
// operator is revoked; freezes stay; and one record (operation restore) gives the reason and names the head that was
// restored. The tokens of the vault that the backup was made of never work in the restored one, nor the other way round.
// Values, policies, freezes and the log are those of the backup, byte for byte: an earlier checkpoint of it fits, and its
// keys open with the root that sealed them, which cfg.Root must be or know.
//
// The whole backup is checked before the store holds a vault: its checksums, the MAC of its head over all rows, its log
// against the head's root, and the hash of each sealed value. ErrTampered if anything is missing or changed; ErrWrongKey,
// with nothing written, if cfg.Root did not seal it; ErrInvalid if the store is not empty or the format is newer. A
// restore that did not end leaves a store that is no vault, which Open and Restore refuse by name: empty it and restore again.
// Memory is that of the opened vault, whatever the size of the backup.
//
// With a nil backup the rows are checked as Open does, and nothing is written if they do not fit their head. The commit, and
// nothing else, makes a lost head file anew. Whatever has ended it, a crash too, it can be called again so.
//
// If the anchor fails after the commit, the vault is restored and Restore fails: call it again, with a nil backup.
//
// Restore takes over the store as Open does, also when it fails.
func Restore(ctx context.Context, cfg Config, backup io.Reader, reason string) (*Vault, error) {
	return openBy(ctx, cfg, "restore", func(v *core) error {
		if err := (Request{Reason: reason}).check(); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		mark, lost := v.loadMark(ctx)
		if lost != nil && (backup != nil || !errors.Is(lost, ErrRollback) && !errors.Is(lost, ErrTampered)) {
			return lost
		}
		root := ask(cfg.Root)
		load := func() error { return v.load(ctx, root) }
		if backup != nil {
			r := &restore{v: v, ctx: ctx, root: root, in: newBackupReader(ctx, backup)}
			load = r.run
		}
		if err := load(); err != nil {
			return err
		}
		if err := v.reissue(ctx, root, reason, mark, lost != nil); err != nil {
			return err
		}
		return v.forceAnchor(ctx)
	})
}

// restoreDetail is what the record says: the head that was restored, and what the anchor and the head file knew.
type restoreDetail struct {
	Restored headDetail  `json:"restored"`
	Anchor   *headDetail `json:"anchor,omitempty"`
	Mark     *headDetail `json:"mark,omitempty"`
	Lost     bool        `json:"mark_lost,omitempty"` // there was no head file, or none that can be read
}

type headDetail struct {
	Size int64  `json:"size"`
	Root []byte `json:"root"`
}

func detailOf(h audit.Head) *headDetail { return &headDetail{h.Size, h.Root[:]} }

func (v *core) restoredDetail(was audit.Head, mark []byte, lost bool) (string, error) {
	d := restoreDetail{Restored: *detailOf(was), Lost: lost}
	if v.anchor != nil && v.anchor.last != (audit.Head{}) {
		d.Anchor = detailOf(v.anchor.last)
	}
	if h, err := v.keys().parseMark(mark); err == nil {
		d.Mark = detailOf(h.log())
	}
	return detail(d)
}

// reissue is the commit of a restore. It kills every credential there is and, where the store is still being restored, makes
// it a vault. It is the one commit that makes a lost head file anew.
func (v *core) reissue(ctx context.Context, root RootKey, reason string, mark []byte, lost bool) error {
	plaintext, err := v.keys().next(keyChange{now: v.state.head.time, newToken: true, dropTokens: true})
	if err != nil {
		return err
	}
	keys, data, err := sealKeyring(ctx, root, v.keys().id, plaintext)
	if err != nil {
		return err
	}
	b := v.newBatch()
	err = updateStore(ctx, v.store, v.state.head.size, newUpdate(func(changed []Row) (Batch, error) {
		if err := b.start(v, v.clock.read(), changed); err != nil {
			return Batch{}, err
		}
		text, err := v.restoredDetail(b.head.log(), mark, lost)
		if err != nil {
			return Batch{}, err
		}
		c := &call{op: opRestore, verbatim: true}
		c.record = audit.Record{Op: opRestore.name, Outcome: audit.Granted, Reason: reason, Detail: text}
		c.writeRecord()
		b.killCredentials()
		b.sealed = append(b.sealed, Row{keyringKey, b.seq(), data}, Row{restoreKey, b.seq(), nil})
		b.head.generation, b.ring, b.scrub, b.keep = keys.generation, keys, true, b.head.first
		b.run(c)
		out, err := b.finish()
		out.Renew = lost
		return out, err
	}))
	if err != nil {
		return err
	}
	v.take(b)
	return nil
}

// killCredentials ends every agent key and remote operator, since one that was revoked after the backup was made must not come
// back, and takes out what was known of tokens: with their key gone none is left.
func (b *batch) killCredentials() {
	var alive []rowKey
	for _, rows := range []map[rowKey]entry{b.state.rows, b.over.rows} {
		for k := range rows {
			if r, ok := b.get(k).row.(*keyRow); ok && !r.Revoked {
				alive = append(alive, k)
			}
		}
	}
	for _, k := range alive {
		key := *b.get(k).row.(*keyRow)
		key.Revoked = true
		b.write(k, &key)
	}
	b.reset()
}

// forceAnchor moves the anchor to the head of the restored log, whatever it holds.
func (v *core) forceAnchor(ctx context.Context) error {
	if v.anchor == nil {
		return nil
	}
	a, to := v.anchor, v.state.head
	failed := func(err error) error {
		return fmt.Errorf("the vault is restored, but its anchor is not moved: call Restore again, without a backup: %w", err)
	}
	for range swaps {
		from := a.last
		err := a.gate.do(ctx, func(ctx context.Context) error { return a.store.Advance(ctx, from, to.log()) })
		if err == nil {
			a.last, a.past = to.log(), to
			return nil
		}
		if errors.Is(err, ErrConflict) {
			a.last, err = a.load(ctx)
		}
		if err != nil {
			return failed(err)
		}
	}
	return failed(fmt.Errorf("%w: it was moved %d times by others", ErrBusy, swaps))
}
