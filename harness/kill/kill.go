// SPDX-License-Identifier: Apache-2.0

// Package kill ends a busy process with kill -9, again and again, and holds what is left against what it had acknowledged.
//
// A child opens the vault; several goroutines put, get, use, issue, revoke, destroy and rotate, and acknowledge each call on
// a pipe when it has returned. The parent kills it after 5 to 65 ms, in one round of four while it is still opening, and
// opens the vault itself. The vault and its tokens live on for lives rounds; every second vault has an anchor. What a kill
// cannot show is data that was not synced: the page cache survives it. That is for powercut.
package kill

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

// Harness is kill -9 with a ledger.
var Harness = kit.Harness{
	Name:    "kill",
	About:   "kill -9 at any time: nothing acknowledged is lost, no value without a record, counts are exact",
	Bug:     "the store answers before it has committed",
	BugSays: regexp.MustCompile(`acknowledged and lost|a value left without a record|rolled back: the anchor`),
	Stores:  []string{"sqlite", "file"},
	Short:   100, Long: 5000, Unit: "rounds",
	Run: run, Child: child,
}

const (
	lives      = 25 // rounds of one vault
	keptTokens = 8  // of former rounds, dead or alive
)

// subject is a vault over all its lives.
type subject struct {
	*kit.Run
	dir      string
	anchored bool
	book     *kit.Book
	tokens   []token
}

type token struct{ Bearer, Link string }

func run(ctx context.Context, r *kit.Run) error {
	done, anchored, rotating, acknowledged, records := 0, 0, 0, 0, int64(0)
	for vaults := 0; done < r.Rounds; vaults++ {
		s := &subject{Run: r, dir: filepath.Join(r.Dir, fmt.Sprint("vault-", vaults)), anchored: vaults%2 == 1, book: kit.NewBook()}
		if err := os.MkdirAll(filepath.Join(s.dir, kit.AnchorDir), 0o700); err != nil {
			return err
		}
		for range min(lives, r.Rounds-done) {
			if err := s.round(ctx, done); err != nil {
				return fmt.Errorf("round %d: %w", done, err)
			}
			if done++; s.anchored {
				anchored++
			}
			r.Progress(done)
		}
		rotating, acknowledged, records = rotating+s.book.Rotating, acknowledged+s.book.Acknowledged, records+s.book.Records
		if err := os.RemoveAll(s.dir); err != nil {
			return err
		}
	}
	r.Count("kills", int64(done))
	r.Figure("with an anchor", anchored)
	r.Figure("amid a rotation", rotating)
	r.Count("acknowledged", int64(acknowledged))
	r.Count("records", records)
	return nil
}

// round lets a child live for a moment, kills it, and looks at what is left.
func (s *subject) round(ctx context.Context, n int) error {
	j := job{Round: n, Anchored: s.anchored, Tokens: s.tokens}
	p, err := s.Start(ctx, s.dir, j, nil)
	if err != nil {
		return err
	}
	if s.Rand.IntN(4) > 0 {
		<-p.First
	}
	time.Sleep(5*time.Millisecond + time.Duration(s.Rand.Int64N(int64(60*time.Millisecond))))
	p.Kill()
	acks, code, err := p.Wait()
	if err != nil {
		return err
	}
	if code >= 0 {
		return fmt.Errorf("the child ended by itself: %w", p.Ended())
	}
	if err := s.book.Add(acks); err != nil {
		return err
	}
	if err := s.check(ctx, j); err != nil {
		return err
	}
	for _, a := range acks {
		if a.Op == "issue" && a.Outcome == kit.Granted {
			s.tokens = append(s.tokens, token{a.Bearer, a.Link})
		}
	}
	s.tokens = s.tokens[max(0, len(s.tokens)-keptTokens):]
	return nil
}

func (s *subject) check(ctx context.Context, j job) error {
	v, done, err := j.open(ctx, s.Store, s.dir, nil)
	if err != nil {
		return kit.Violationf("the vault does not open after a kill: %v", err)
	}
	err = s.book.Check(ctx, v)
	if e := done(); err == nil && e != nil {
		err = kit.Violationf("Close: %v", e)
	}
	return err
}

// job is what a child is told.
type job struct {
	Round    int
	Anchored bool
	Tokens   []token
}

// open opens the vault. Close closes all that it has opened.
func (j job) open(ctx context.Context, s kit.Store, dir string, wrap func(vault.Store) vault.Store) (v *vault.Vault, close func() error, err error) {
	if j.Anchored {
		return kit.OpenAnchored(ctx, s, dir, wrap)
	}
	if v, err = kit.OpenVault(ctx, s, dir, wrap); err != nil {
		return nil, nil, err
	}
	return v, v.Close, nil
}
