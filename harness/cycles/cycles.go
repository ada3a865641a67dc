// SPDX-License-Identifier: Apache-2.0

// Package cycles opens, uses and closes a vault many times in one process and looks for what stays behind: goroutines,
// descriptors, files. In each cycle callers are at work when Close is called.
package cycles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// Harness is the cycles.
var Harness = kit.Harness{
	Name:    "cycles",
	About:   "open, use and close: no goroutine, descriptor or file stays",
	Bug:     "closing the store leaves a goroutine, a descriptor, or a file behind",
	BugSays: regexp.MustCompile(`more goroutines(.|\n)*more descriptors(.|\n)*more files`),
	Stores:  []string{"memory", "sqlite", "file"},
	Short:   100, Long: 1000, Unit: "cycles", InRAM: true,
	Run: run,
}

func run(ctx context.Context, r *kit.Run) error {
	temp := filepath.Join(r.Dir, "temp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		return err
	}
	if err := os.Setenv("TMPDIR", temp); err != nil {
		return err
	}
	defer os.Unsetenv("TMPDIR")
	if !r.Bug {
		return repeat(ctx, r, filepath.Join(r.Dir, "vault"), nil)
	}
	var found error
	for _, leak := range leaks { // each must be found, as what it is
		err := repeat(ctx, r, filepath.Join(r.Dir, leak), func(s vault.Store) vault.Store { return kit.Over(s, leaky{s, leak, r.Dir}) })
		if err == nil || !strings.Contains(err.Error(), "more "+leak) {
			return err
		}
		found = errors.Join(found, err)
	}
	return found
}

const warmUp = 3 // cycles after which what is made once is there

func repeat(ctx context.Context, r *kit.Run, dir string, wrap func(vault.Store) vault.Store) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	patience := time.Minute // for a busy machine
	if r.Bug {
		patience = time.Second
	}
	var start rest
	for n := range r.Rounds + warmUp {
		if err := cycle(ctx, r, dir, wrap); err != nil {
			return kit.Violationf("cycle %d: %v", n, err)
		}
		if n == warmUp-1 {
			var err error
			if start, err = settle(ctx, r.Dir, rest{}, time.Second/5); err != nil {
				return err
			}
		} else if n >= warmUp {
			now, err := settle(ctx, r.Dir, start, patience)
			if err != nil {
				return err
			}
			if err := now.more(start); err != nil {
				return fmt.Errorf("cycle %d: %w", n, err)
			}
		}
		r.Progress(n)
	}
	r.Count("cycles", int64(r.Rounds))
	r.Figure("at the start and at the end", start)
	return nil
}

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
