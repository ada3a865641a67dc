// SPDX-License-Identifier: Apache-2.0

// Package kill ends a busy process with kill -9, again and again, and holds what is left against what it had acknowledged.
//
// A child opens the vault; several goroutines put, get, use, issue, revoke, destroy and rotate, and acknowledge each call on
// a pipe when it has returned. The parent kills it after 5 to 65 ms, in one round of four while it is still opening, and
// opens the vault itself. The vault and its tokens live on for lives rounds; every second vault has an anchor. What a kill cannot show is data that was not synced: the page
// cache survives it. That is for powercut.
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

const lives = 25

type job struct {
	Round    int
	Anchored bool
	Tokens   []token // of former rounds
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

type token struct{ Bearer, Link string }

func run(ctx context.Context, r *kit.Run) error {
	var total, records int64
	rotating := 0
	done, withAnchor := 0, 0
	for done < r.Rounds {
		dir := filepath.Join(r.Dir, fmt.Sprint("vault-", done))
		if err := os.MkdirAll(filepath.Join(dir, kit.AnchorDir), 0o700); err != nil {
			return err
		}
		anchored := done/lives%2 == 1
		book := kit.NewBook()
		var tokens []token
		for range min(lives, r.Rounds-done) {
			var err error
			if tokens, err = round(ctx, r, dir, book, job{done, anchored, tokens}); err != nil {
				return err
			}
			if done++; anchored {
				withAnchor++
			}
			r.Progress(done)
		}
		total, records = total+int64(book.Acknowledged), records+book.Records
		rotating += book.Rotating
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	r.Figure("kills", done)
	r.Figure("with an anchor", withAnchor)
	r.Figure("amid a rotation", rotating)
	r.Figure("acknowledged", total)
	r.Figure("records", records)
	return nil
}

// round lets one child live, and returns the tokens of the next.
func round(ctx context.Context, r *kit.Run, dir string, book *kit.Book, j job) ([]token, error) {
	p, err := r.Start(ctx, dir, j, nil)
	if err != nil {
		return nil, err
	}
	if r.Rand.IntN(4) > 0 {
		<-p.First
	}
	time.Sleep(5*time.Millisecond + time.Duration(r.Rand.Int64N(int64(60*time.Millisecond))))
	p.Kill()
	acks, code, err := p.Wait()
	if err != nil {
		return nil, err
	}
	switch {
	case code == kit.ExitError:
		return nil, kit.Violationf("round %d: an error without a fault: %s", j.Round, p.Stderr())
	case code >= 0:
		return nil, fmt.Errorf("round %d: the child ended by itself, code %d: %s", j.Round, code, p.Stderr())
	}
	if err := book.Add(acks); err != nil {
		return nil, err
	}
	v, done, err := j.open(ctx, r.Store, dir, nil)
	if err != nil {
		return nil, kit.Violationf("round %d: the vault does not open after a kill: %v", j.Round, err)
	}
	err = book.Check(ctx, v)
	if e := done(); err == nil && e != nil {
		err = kit.Violationf("Close: %v", e)
	}
	if err != nil {
		return nil, fmt.Errorf("round %d: %w", j.Round, err)
	}
	return issued(append(j.Tokens, tokensOf(acks)...)), nil
}

func tokensOf(acks []kit.Ack) (tokens []token) {
	for _, a := range acks {
		if a.Op == "issue" && a.Outcome == kit.Granted {
			tokens = append(tokens, token{a.Bearer, a.Link})
		}
	}
	return tokens
}

// issued keeps the newest tokens, dead or alive.
func issued(tokens []token) []token { return tokens[max(0, len(tokens)-8):] }
