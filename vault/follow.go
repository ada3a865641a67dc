// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// follower is the keyring of another process on its way into this one. Until the root has unwrapped it nothing is committed
// here, so nothing is granted.
type follower struct {
	row    []byte   // of the store
	keys   *keyring // unwrapped from it
	failed error    // why it could not be
	at     time.Time
}

// unwrapPause is how often the root is asked again for a keyring that it does not unwrap.
const unwrapPause = time.Second

// followTries is how many newer keyrings in a row are followed by one batch.
const followTries = 10

// errFollow: the store holds newer keys, which have to be unwrapped before anything is decided.
var errFollow = fmt.Errorf("%w: the keyring keeps changing", ErrBusy)

// follow takes up the keyring of the head, if that is another than the one in use. The head's MAC, under the state key that
// every keyring of the vault has, has been checked.
func (b *batch) follow(row []byte) error {
	if b.head.generation == b.v.keys().generation {
		return nil
	}
	if row == nil {
		return errUnfit
	}
	f := &b.v.follow
	if !bytes.Equal(f.row, row) {
		*f = follower{row: bytes.Clone(row)}
	}
	if f.keys == nil {
		return errFollow
	}
	if f.keys.generation != b.head.generation {
		return errUnfit
	}
	b.ring = f.keys
	return nil
}

var errUnfit = fmt.Errorf("%w: head and keyring do not belong together", ErrTampered)

// unwrap asks the root for the keyring that a batch has met. The store is not locked meanwhile; whoever calls has the turn.
func (v *core) unwrap(ctx context.Context) error {
	f := &v.follow
	if f.failed != nil && time.Since(f.at) < unwrapPause {
		return f.failed
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, rootPatience)
	defer cancel()
	old := v.keys()
	k, err := openKeyringRow(ctx, old.root, old.id, f.row)
	if err == nil {
		err = k.follows(old)
	}
	if errors.Is(err, ErrWrongKey) {
		err = fmt.Errorf("%w: if the vault was given another root, open it again with that one", err)
	}
	if err == nil {
		f.keys = k
	} else if caller.Err() == nil {
		f.failed, f.at = err, time.Now()
	}
	return err
}
