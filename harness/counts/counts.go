// SPDX-License-Identifier: Apache-2.0

// Package counts lets 512 callers use, revoke, freeze and thaw the same tokens at once and holds what each of them saw, and
// when, against a model.
//
// The callers are goroutines of eight processes on sqlite, of eight vaults on one store in memory, of one vault on a file.
// A round has eight tokens of 100 uses. Two are only used: they must be granted exactly 100 times. One is revoked, one
// revokes itself, and of each of four one thing that stands for it (its path, agent, run or user) is frozen and thawed
// meanwhile. Each token is a history of its own: calls with the times of call and return and how they ended. porcupine
// searches for an order of the calls that the times allow and the model too, and in which those that have a record stand as
// in the log.
package counts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// Harness is the counts.
var Harness = kit.Harness{
	Name:    "counts",
	About:   "512 callers at once: exactly MaxUses grants, and none behind a revocation or a freeze",
	Bug:     "a use reads the count, and writes it when it was granted",
	BugSays: regexp.MustCompile(`on token \w+ \(only used\)|token \w+ \(only used\) was granted`),
	Stores:  []string{"sqlite", "file", "memory"},
	Short:   20, Long: 1000, Unit: "rounds", InRAM: true,
	Run: run, Child: child,
}

const (
	lives   = 10 // rounds of one vault and its processes
	maxUses = 100
	callers = 512
	members = 8 // processes on sqlite, vaults in memory
)

// token is one token of a round, and what stands for it.
type token struct {
	Bearer, Link string
	Kind         string
	Path         string
	Thing        vault.Frozen // what is frozen, if anything
}

// kinds is the tokens of a round by what happens to them beside being used: nothing, a revocation, or freezes of a kind.
var kinds = []string{"", "", opRevoke, opOwn, "path", "agent", "run", "user"}

func run(ctx context.Context, r *kit.Run) error {
	var t tally
	for done := 0; done < r.Rounds; done += lives {
		dir := filepath.Join(r.Dir, fmt.Sprint("vault-", done))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if err := life(ctx, r, dir, done, &t); err != nil {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		r.Progress(done)
	}
	r.Figure("rounds", r.Rounds)
	r.Count("calls", int64(t.calls))
	r.Count("grants", int64(t.grants))
	r.Count("refusals", int64(t.refusals))
	r.Count("histories", int64(t.histories))
	return nil
}

// life is some rounds on one vault.
func life(ctx context.Context, r *kit.Run, dir string, done int, t *tally) error {
	open := opener(r, dir)
	v, err := open(ctx)
	if err != nil {
		return err
	}
	j := job{Seed: r.Rand.Uint64()}
	for n := range min(lives, r.Rounds-done) {
		tokens, err := issue(ctx, v, fmt.Sprint(done+n))
		if err != nil {
			return errors.Join(err, v.Close())
		}
		j.Rounds = append(j.Rounds, tokens)
	}
	if err := v.Close(); err != nil {
		return err
	}
	var events []event
	if r.Store.Name == "sqlite" {
		events, err = processes(ctx, r, dir, j)
	} else {
		events, err = vaults(ctx, r, dir, j, open)
	}
	if err != nil {
		return err
	}
	if v, err = open(ctx); err != nil {
		return kit.Violationf("the vault does not open again: %v", err)
	}
	err = check(ctx, v, j, events, t)
	return errors.Join(err, v.Close())
}

// issue makes the tokens of one round, and what they are for.
func issue(ctx context.Context, v *vault.Vault, round string) (tokens []token, err error) {
	op := v.Operator("counts")
	for i, kind := range kinds {
		name := fmt.Sprintf("r%s-%d", round, i)
		t := token{Kind: kind, Path: "production/" + name}
		if kind != "" && kind != opRevoke && kind != opOwn {
			t.Thing = vault.Frozen{Kind: kind, Value: name}
			if kind == "path" {
				t.Thing.Value = t.Path
			}
		}
		if _, err := op.Put(ctx, vault.Item{Path: t.Path, Value: vault.NewSecret("value")}); err != nil {
			return nil, err
		}
		s, err := op.Issue(ctx, vault.Grant{
			Agent: name, Run: name, User: name, Scopes: scope.MustParse("secrets:read:" + t.Path), TTL: time.Hour, MaxUses: maxUses,
		})
		if err != nil {
			return nil, err
		}
		claims, err := s.Claims(ctx)
		if err != nil {
			return nil, err
		}
		t.Bearer, t.Link = s.Token().Reveal(), claims[0].ID
		tokens = append(tokens, t)
	}
	return tokens, nil
}
