// SPDX-License-Identifier: Apache-2.0

package cycles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const callers = 4

// cycle is one life of a vault.
func cycle(ctx context.Context, r *kit.Run, dir string, wrap func(vault.Store) vault.Store) error {
	store, err := r.Store.Open(ctx, filepath.Join(dir, kit.StoreFile))
	if err != nil {
		return err
	}
	if wrap != nil {
		store = wrap(store)
	}
	v, err := vault.Open(ctx, vault.Config{
		Store: store, Root: kms.KeyFile(filepath.Join(dir, kit.KeyFile)),
		Auditors: []vault.Auditor{&audit.Writer{W: io.Discard}}, Observers: []vault.Auditor{&audit.Writer{W: io.Discard}},
	})
	if err != nil {
		return err
	}
	var left group
	err = use(ctx, v, &left)
	err = errors.Join(err, v.Close(), v.Close())
	return errors.Join(err, left.wait())
}

// group is callers that are still at work when the vault is closed.
type group struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

// start runs f, which must end with an error that is one of these.
func (g *group) start(who string, f func() error, ends ...error) {
	g.wg.Go(func() {
		err := f()
		if !slices.ContainsFunc(ends, func(end error) bool { return errors.Is(err, end) }) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.errs = append(g.errs, fmt.Errorf("%s ends with %v, want one of %v", who, err, ends))
		}
	})
}

func (g *group) wait() error {
	g.wg.Wait()
	return errors.Join(g.errs...)
}

// use does a little of everything, and leaves callers at work.
func use(ctx context.Context, v *vault.Vault, left *group) error {
	const path = "production/search/key"
	op := v.Operator("cycles")
	if _, err := op.Put(ctx, vault.Item{Path: path, Value: vault.NewSecret("value")}); err != nil {
		return err
	}
	s, err := op.Issue(ctx, vault.Grant{Agent: "cycles", Scopes: scope.MustParse("secrets:read:*"), TTL: time.Hour})
	if err != nil {
		return err
	}
	err = s.Spawn(ctx, vault.Grant{}, func(ctx context.Context, child *vault.Session) error {
		return child.Use(ctx, vault.Request{Path: path}, func(vault.Item) error { return nil })
	})
	if err != nil {
		return fmt.Errorf("spawn: %w", err)
	}
	following, stop := context.WithCancel(ctx)
	left.start("a follower", func() (last error) {
		for _, last = range v.Log().Follow(following, audit.Filter{}) {
		}
		return last
	}, context.Canceled, vault.ErrClosed)
	left.start("a follower with time", func() (last error) {
		for _, last = range v.Log().Follow(ctx, audit.Filter{}) {
		}
		return last
	}, vault.ErrClosed)
	err = v.Log().Verify(ctx)
	first := make(chan struct{}, callers)
	for range callers {
		left.start("a caller", func() error {
			for n := 0; ; n++ {
				_, err := s.Get(ctx, vault.Request{Path: path})
				if n == 0 {
					first <- struct{}{}
				}
				if err != nil {
					return err
				}
			}
		}, vault.ErrClosed)
	}
	for range callers {
		<-first
	}
	stop()
	return err
}
