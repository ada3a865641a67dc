// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

// between is a store in whose calls, before and behind each, another process may act.
type between struct {
	vault.Store
	act func()
}

func (s *between) Close() error { return nil }

func (s *between) Rows(ctx context.Context, from string, n int) ([]vault.Row, error) {
	s.act()
	rows, err := s.Store.Rows(ctx, from, n)
	s.act()
	return rows, err
}

func (s *between) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	s.act()
	lines, err := s.Store.Lines(ctx, from, n)
	s.act()
	return lines, err
}

func (s *between) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	s.act()
	err := s.Store.Update(ctx, since, fn)
	s.act()
	return err
}

// More of both find more, and take longer.
const seeds, steps = uint64(2), 80

// TestLivesTogether lets processes rotate, archive, back up, restore, purge, reset and read in and out of one another. None
// may say that the vault was tampered with or rolled back, every backup comes back, and what is dead stays dead.
func TestLivesTogether(t *testing.T) {
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { newTogether(t, seed).run(steps) })
	}
}

type together struct {
	t      *testing.T
	mu     sync.Mutex // held by a call within another
	r      *rand.Rand
	bed    *bed
	clock  *steppedClock
	anchor *fakeAnchor
	vaults []*vault.Vault
	busy   []bool // in a call, so that it does not wait for itself
	dead   []vault.Token
	depth  int
	log    []string
	own    sync.Mutex // of r, dead and log
}

func (g *together) n(below int) int {
	g.own.Lock()
	defer g.own.Unlock()
	return g.r.IntN(below)
}

func (g *together) died(t vault.Token) {
	g.own.Lock()
	defer g.own.Unlock()
	g.dead = append(g.dead, t)
}

func (g *together) tokens() []vault.Token {
	g.own.Lock()
	defer g.own.Unlock()
	return slices.Clone(g.dead)
}

func newTogether(t *testing.T, seed uint64) *together {
	g := &together{t: t, r: rand.New(rand.NewPCG(seed, 1)), bed: newBed(t), clock: newSteppedClock(), anchor: newFakeAnchor(t)}
	for range 3 {
		g.vaults = append(g.vaults, nil)
		g.busy = append(g.busy, false)
		g.reopen(len(g.vaults) - 1)
	}
	mustPut(t, g.vaults[0].Operator("keeper"), bedPath, "value")
	return g
}

func (g *together) reopen(i int) {
	if v := g.vaults[i]; v != nil {
		g.fine("close", v.Close())
	}
	s := &between{g.bed.store, func() { g.meanwhile(i) }}
	g.busy[i] = true
	v, err := vault.Open(context.Background(), vault.Config{Store: s, Root: g.bed.root, Now: g.clock.Now, Anchor: g.anchor})
	g.busy[i] = false
	g.fine("open", err)
	if err != nil {
		g.t.FailNow()
	}
	g.vaults[i] = v
}

func (g *together) meanwhile(i int) {
	if !g.mu.TryLock() { // what is read ahead is read beside the call
		return
	}
	defer g.mu.Unlock()
	if g.depth != 1 || g.n(12) > 0 {
		return
	}
	for range 3 {
		if j := g.n(len(g.vaults)); j != i && !g.busy[j] && g.vaults[j] != nil {
			g.step(j, true)
			return
		}
	}
}

func (g *together) run(n int) {
	for range n {
		g.step(g.n(len(g.vaults)), false)
		if g.t.Failed() {
			g.t.Fatalf("after %q", g.log[max(0, len(g.log)-12):])
		}
	}
	done := map[string]bool{}
	for _, l := range g.log {
		if what, ok := strings.CutSuffix(l, ": <nil>"); ok {
			done[what[strings.LastIndexByte(what, ' ')+1:]] = true
		}
	}
	g.t.Log("succeeded:", done)
	for _, v := range g.vaults {
		verifies(g.t, v)
		_ = v.Close()
	}
}

func (g *together) fine(what string, err error) {
	if errors.Is(err, vault.ErrTampered) || errors.Is(err, vault.ErrRollback) {
		g.t.Errorf("%s: %v", what, err)
	}
}

func (g *together) step(i int, nested bool) {
	top := !nested
	if top {
		g.mu.Lock()
		g.depth, g.busy[i] = 1, true
		g.mu.Unlock()
		defer func() {
			g.mu.Lock()
			g.depth, g.busy[i] = 0, false
			g.mu.Unlock()
		}()
	} else {
		g.depth++
		defer func() { g.depth-- }()
	}
	ctx, v := context.Background(), g.vaults[i]
	op := v.Operator("keeper")
	g.clock.add(time.Duration(g.n(900)) * time.Second)
	what, err := "", error(nil)
	switch n := g.n(100); {
	case n < 20:
		what = "get"
		_, err = op.Get(ctx, vault.Request{Path: bedPath})
	case n < 30:
		what = "put"
		_, err = op.Put(ctx, vault.Item{Path: bedPath, Value: vault.NewSecret("value")})
	case n < 40:
		what = "use up"
		var s *vault.Session
		if s, err = op.Issue(ctx, reader(1)); err == nil {
			if _, err = s.Get(ctx, vault.Request{Path: bedPath}); err == nil {
				g.died(s.Token())
			}
		}
	case n < 47:
		what = "revoke"
		var s *vault.Session
		if s, err = op.Issue(ctx, reader(0)); err == nil {
			var c vault.Claims
			if c, err = s.Claims(ctx); err == nil {
				if err = op.Revoke(ctx, c[0].ID, "test"); err == nil {
					g.died(s.Token())
				}
			}
		}
	case n < 52:
		what = "rotate"
		err = op.RotateKeys(ctx, vault.Rotation{})
	case n < 54:
		what = "compromised"
		err = op.RotateKeys(ctx, vault.Rotation{Compromised: true})
	case n < 58:
		what = "clock"
		g.clock.add(-time.Hour)
		err = op.ResetClock(ctx, "test")
	case n < 63:
		what = "root"
		err = op.SetRoot(ctx, g.bed.root, "test")
	case n < 71:
		what = "archive"
		var w bytes.Buffer
		if err = op.Archive(ctx, g.clock.Now().Add(-time.Duration(g.n(7200))*time.Second), &w, "test"); err == nil {
			g.archived(w.Bytes())
		}
	case n < 79:
		what = "backup"
		var w bytes.Buffer
		if err = op.Backup(ctx, &w, "test"); err == nil {
			g.restored(w.Bytes())
		}
	case n < 83:
		what = "export"
		err = v.Log().Export(ctx, io.Discard)
	case n < 87:
		what = "verify"
		err = v.Log().Verify(ctx)
	case n < 90:
		what = "records"
		for _, err = range v.Log().Records(ctx, audit.Filter{}) {
			if err != nil {
				break
			}
		}
	case n < 93:
		what = "tokens"
		_, err = op.Tokens(ctx)
	case n < 94 && top:
		what = "purge"
		for range 1100 {
			if s, issued := op.Issue(ctx, reader(1)); issued == nil {
				_, _ = s.Get(ctx, vault.Request{Path: bedPath})
			}
		}
		g.clock.add(3 * time.Hour)
		_, err = op.Get(ctx, vault.Request{Path: bedPath})
	case n < 97 && top:
		what = "reopen"
		g.reopen(i)
	default:
		what = "dead"
		for _, tok := range g.tokens() {
			if _, err := v.Session(tok, netip.Addr{}).Get(ctx, vault.Request{Path: bedPath}); err == nil {
				g.t.Error("a dead token works")
			}
		}
	}
	g.own.Lock()
	defer g.own.Unlock()
	g.log = append(g.log, fmt.Sprintf("%v %d %s: %v", nested, i, what, err))
	g.fine(what, err)
}

func (g *together) archived(file []byte) {
	if n := bytes.Count(file, []byte("\nkeyward")); n > 0 {
		g.t.Errorf("an archive of more than one")
	}
}

func (g *together) restored(text []byte) {
	cfg := vault.Config{Store: unclosed{memory.New()}, Root: g.bed.root, Now: g.clock.Now}
	{
		v, err := vault.Restore(context.Background(), cfg, bytes.NewReader(text), "test")
		if err != nil {
			g.t.Errorf("restore: %v", err)
			return
		}
		for _, tok := range g.tokens() {
			if _, err := v.Session(tok, netip.Addr{}).Get(context.Background(), vault.Request{Path: bedPath}); err == nil {
				g.t.Error("a dead token works in the restored")
			}
		}
		if err := errors.Join(v.Log().Verify(context.Background()), v.Close()); err != nil {
			g.t.Errorf("restored: %v", err)
		}
		again, err := vault.Open(context.Background(), cfg)
		if err != nil {
			g.t.Errorf("restored and reopened: %v", err)
			return
		}
		_ = again.Close()
	}
}
