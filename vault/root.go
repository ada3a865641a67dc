// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
)

// SetRoot seals the keyring under another root: from the return on this vault uses it, and the store opens with it and no
// longer with the former one. The keys in the keyring stay: if the former root has leaked, RotateKeys with Compromised
// comes next. To have two roots, either of which opens the vault, pass kms.Either of both.
//
// The former root must open what is stored, and the new one what it has sealed, before anything is written; each answer is
// waited for until ctx ends, 30 s at most. No byte sealed under the former root is left in live files; backups made before
// keep it. Another process that has the vault open and whose root does not open the new keyring grants nothing any more:
// ErrWrongKey or ErrKMSUnavailable, until it is opened again with the new root.
func (o *Operator) SetRoot(ctx context.Context, root RootKey, reason string) error {
	c := &call{op: opRoot, by: o.session, req: Request{Reason: reason}, rotation: &rotation{}}
	if root != nil {
		c.rotation.root = ask(root)
	}
	return o.do(ctx, c)
}

func (c *call) checkRoot() error {
	if c.rotation.root == nil {
		return errors.New("root: required: kms.KeyFile, kms.Passphrase, kms.Wrapper or kms.Either")
	}
	return nil
}

func loadRoot(ctx context.Context, v *core, c *call) error {
	if err := v.loadNext(ctx, c, c.rotation.root, keyChange{}); err != nil {
		return err
	}
	return c.rotated(rotateDetail{Generation: c.rotation.ring.generation})
}

// loadNext makes the next keyring, under another root if there is one. It is made from what is stored, as the root in use opens
// it: so nothing is sealed by a root that has gone, and nothing of a keyring that was changed.
func (v *core) loadNext(ctx context.Context, c *call, root RootKey, change keyChange) error {
	ctx, cancel := context.WithTimeout(ctx, rootTime)
	defer cancel()
	used := v.keys()
	old, err := v.loadKeyring(ctx, used.root, used.id)
	if err != nil {
		return err
	}
	if old.generation != c.generation { // or another process was quicker, which step 5 finds out
		return errUnfit
	}
	if root == nil {
		root = used.root
	}
	v.look(func(w view) { change.now = w.now })
	plaintext, err := old.next(change)
	if err != nil {
		return err
	}
	if c.rotation.ring, c.rotation.row, err = sealKeyring(ctx, root, old.id, plaintext); err != nil {
		return err
	}
	return c.rotation.ring.follows(old)
}

// applyKeyring puts the next keyring in place. Calls that were proved or sealed with the one before are done again.
func applyKeyring(b *batch, c *call) {
	r := c.rotation
	if r.ring == nil {
		return
	}
	if r.compromised {
		b.reset()
	}
	b.ring, b.head.generation, b.scrub = r.ring, r.ring.generation, true
	b.sealed = append(b.sealed, Row{keyringKey, b.seq(), r.row})
	b.v.follow = follower{row: r.row, keys: r.ring} // should the outcome of the commit be unknown
}
