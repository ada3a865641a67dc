// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

// bed is one store with two vaults on it, their clock, and the oracle.
type bed struct {
	ctx      context.Context
	r        *kit.Run
	dir      string
	ram      vault.Store // of memory, over all its lives
	stores   []vault.Store
	vaults   []*vault.Vault
	clock    wall
	last     time.Time // of the newest record, as the oracle has it
	cards    []*card
	attempts int // with cards that are dead
}

// wall is the clock on the wall.
type wall struct {
	mu   sync.Mutex
	now  time.Time
	turn []time.Time // shown in turns instead, if there are any
	n    int
}

func (w *wall) set(now time.Time, turn ...time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now, w.turn = now, turn
}

func (w *wall) read() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.turn) > 0 {
		w.n++
		return w.turn[w.n%len(w.turn)]
	}
	return w.now
}

// open opens both vaults. sqlite has a handle for each, the others share one, since they are of one process.
func (b *bed) open() error {
	for range 2 {
		if len(b.stores) == 0 || b.r.Store.Name == "sqlite" {
			s := b.ram
			if s == nil {
				var err error
				if s, err = b.r.Store.Open(b.ctx, filepath.Join(b.dir, kit.StoreFile)); err != nil {
					return err
				}
			}
			b.stores = append(b.stores, s)
		}
		s := b.stores[len(b.stores)-1]
		cfg := vault.Config{Store: kit.Kept(s), Root: kms.KeyFile(filepath.Join(b.dir, kit.KeyFile)), Now: b.clock.read}
		if b.r.Bug {
			cfg.Issuer = func(i vault.TokenIssuer) vault.TokenIssuer { return renewing{i, b.clock.read} }
		}
		v, err := vault.Open(b.ctx, cfg)
		if err != nil {
			return err
		}
		b.vaults = append(b.vaults, v)
	}
	return nil
}

func (b *bed) close() (err error) {
	for _, v := range b.vaults {
		err = errors.Join(err, v.Close())
	}
	for _, s := range b.stores {
		if b.ram == nil {
			err = errors.Join(err, s.Close())
		}
	}
	b.vaults, b.stores = nil, nil
	return err
}

func (b *bed) reopen() error {
	if err := b.close(); err != nil {
		return err
	}
	if err := b.open(); err != nil {
		return kit.Violationf("it does not open again: %v", err)
	}
	return nil
}

func newBed(ctx context.Context, r *kit.Run, dir string) (*bed, error) {
	b := &bed{ctx: ctx, r: r, dir: dir, last: noon}
	b.clock.set(noon)
	if r.Store.Name == "memory" {
		b.ram = memory.New()
	}
	err := b.open()
	if err == nil {
		err = b.deal()
	}
	return b, err
}

// renewing is the seeded bug: whatever is presented is good for another minute.
type renewing struct {
	vault.TokenIssuer
	now func() time.Time
}

func (i renewing) Verify(ctx context.Context, t vault.Token) (vault.Claims, error) {
	claims, err := i.TokenIssuer.Verify(ctx, t)
	for n := range claims {
		if end := i.now().Truncate(time.Second).UTC().Add(time.Minute); claims[n].Expires.Before(end) {
			claims[n].Expires = end
		}
	}
	return claims, err
}
