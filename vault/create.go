// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/audit"
)

var errNotEmpty = errors.New("the store is no longer empty")

// create makes a vault in an empty store: its keys, and the record that begins its log and names the log's key.
func (v *core) create(ctx context.Context, root RootKey) error {
	lines, err := readLines(ctx, v.store, 0, 1)
	if err == nil && len(lines) > 0 {
		err = fmt.Errorf("%w: the store has a log but no rows", ErrTampered)
	}
	if err != nil {
		return err
	}
	keys, plaintext, err := newKeyring()
	if err != nil {
		return err
	}
	keys, data, err := sealKeyring(ctx, root, keys.id, plaintext)
	if err != nil {
		return err
	}
	v.ring.Store(keys)
	v.state.head = head{id: keys.id, generation: keys.generation}
	b := v.newBatch()
	c := &call{op: opCreate, verbatim: true}
	c.record = audit.Record{Op: opCreate.name, Outcome: audit.Granted, Detail: keys.verifier}
	c.writeRecord()
	err = updateStore(ctx, v.store, 0, newUpdate(func(changed []Row) (Batch, error) {
		if len(changed) > 0 {
			return Batch{}, errNotEmpty
		}
		if err := b.start(v, v.clock.read(), nil); err != nil {
			return Batch{}, err
		}
		if b.behind {
			return Batch{}, fmt.Errorf("%w: it shows no year between 1970 and 9999", ErrClock)
		}
		b.run(c)
		b.sealed = append(b.sealed, Row{keyringKey, 0, data})
		return b.finish()
	}))
	if err != nil {
		v.state = newState()
		return err
	}
	v.take(b)
	return nil
}
