// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

const (
	calls = 12
	opens = 3 // a fault may hit the opening: then it is tried again
)

func child(ctx context.Context, c *kit.Child) error {
	var open atomic.Bool
	var wrap func(vault.Store) vault.Store
	if c.Bug {
		wrap = func(s vault.Store) vault.Store { return kit.Over(s, blithe{s, &open}) }
	}
	for n := 1; ; n++ {
		v, err := kit.OpenVault(ctx, c.Store, c.Dir, wrap)
		c.Ack(kit.Ended(kit.Ack{Op: kit.OpOpen}, err))
		if err == nil {
			open.Store(true)
			w := &kit.Work{Name: "s", V: v, Tell: c.Ack}
			w.Script(ctx, calls)
			c.Ack(kit.Ended(kit.Ack{Op: kit.OpClose}, v.Close()))
			return nil
		}
		if n == opens {
			return nil
		}
	}
}

// blithe is the seeded bug: once the vault is open, a store that takes an error of the disk for success.
type blithe struct {
	vault.Store
	open *atomic.Bool
}

func (s blithe) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	inside := errors.New("not run")
	err := s.Store.Update(ctx, since, func(changed []vault.Row) (b vault.Batch, err error) {
		b, inside = fn(changed)
		return b, inside
	})
	if inside == nil && s.open.Load() {
		return nil
	}
	return err
}
