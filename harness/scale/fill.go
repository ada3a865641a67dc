// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const (
	path    = "production/search/key"
	callers = 2048 // two full batches: one waits while the other is committed
	kept    = 1000 // tokens that are used again
	life    = time.Hour
)

// together runs calls from to to, callers of them at once.
func together(ctx context.Context, from, to int64, call func(i int64) error) error {
	var next atomic.Int64
	next.Store(from)
	var failed atomic.Bool
	var wg sync.WaitGroup
	errs := make([]error, callers)
	for c := range errs {
		wg.Go(func() {
			for ctx.Err() == nil && !failed.Load() {
				i := next.Add(1) - 1
				if i >= to {
					return
				}
				if errs[c] = call(i); errs[c] != nil {
					failed.Store(true)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(ctx.Err(), errors.Join(errs...))
}

// issue makes the tokens and uses each once, so that it has a row. They end about a thousand in each second.
func (s *site) issue(ctx context.Context, n int) (bearers []vault.Token, err error) {
	v, err := s.open(ctx, nil)
	if err != nil {
		return nil, err
	}
	op := v.Operator("scale")
	if _, err := op.Put(ctx, vault.Item{Path: path, Value: vault.NewSecret("value")}); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	var mu sync.Mutex
	every := int64(max(1, n/kept))
	err = together(ctx, 0, int64(n), func(i int64) error {
		t, err := op.Issue(ctx, vault.Grant{
			Agent: "scale", Scopes: scope.MustParse("secrets:read:production/*"), TTL: life + time.Duration(i)*time.Millisecond, MaxUses: 100,
		})
		if err != nil {
			return err
		}
		if i%every == 0 {
			mu.Lock()
			bearers = append(bearers, t.Token())
			mu.Unlock()
		}
		s.Progress(int(2 * i))
		_, err = t.Get(ctx, vault.Request{Path: path})
		return err
	})
	return bearers, errors.Join(err, v.Close())
}

// fill makes the log longer: by reads of the operator, which change no row.
func (s *site) fill(ctx context.Context, from, to int64) error {
	v, err := s.open(ctx, nil)
	if err != nil {
		return err
	}
	op := v.Operator("scale")
	err = together(ctx, from, to, func(i int64) error {
		s.Progress(int(i))
		_, err := op.Get(ctx, vault.Request{Path: path, Reason: "to answer a question"})
		return err
	})
	return errors.Join(err, v.Close())
}
