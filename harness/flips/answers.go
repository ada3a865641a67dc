// SPDX-License-Identifier: Apache-2.0

package flips

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

// answers is everything that a vault says, by what it was asked. A question that it refused for the state of its store is
// not there.
type answers map[string]string

// questions is what a vault is asked.
type questions struct {
	paths      map[string]int // newest version
	bearers    map[string]string
	checkpoint []byte
	size       int64 // records that are compared; those behind are of the asking itself
}

// ask puts every question, and returns what was answered and the first refusal. Its error is a Violation.
func (q questions) ask(ctx context.Context, v *vault.Vault) (answers, error, error) {
	a := asking{answers: answers{}}
	op := v.Operator("flips")
	for path, newest := range q.paths {
		for n := range newest + 1 {
			it, err := op.Get(ctx, vault.Request{Path: path, Version: n})
			a.note(fmt.Sprint(path, " ", n), fmt.Sprintf("%q %v", it.Value.Reveal(), it), err)
		}
		items, err := op.Versions(ctx, vault.Request{Path: path})
		a.note("versions of "+path, fmt.Sprint(items), err)
	}
	items, err := op.List(ctx, vault.Request{Path: "*"})
	a.note("list", fmt.Sprint(items), err)
	tokens, err := op.Tokens(ctx)
	a.note("tokens", fmt.Sprint(tokens), err)
	keys, err := op.Keys(ctx)
	a.note("keys", fmt.Sprint(keys), err)
	for name, bearer := range q.bearers {
		_, err := v.Session(vault.NewToken(bearer), netip.Addr{}).List(ctx, vault.Request{Path: "*"}) // burns no use
		a.note("token "+name, "alive", err)
	}
	a.note("key of the log", v.Log().Key(), nil)
	a.note("earlier checkpoint", "fits", v.Log().Verify(ctx, q.checkpoint))
	text, err := q.records(ctx, v.Log())
	a.note("records", text, err)
	return a.answers, a.refused, a.broken
}

func (q questions) records(ctx context.Context, l *vault.Log) (string, error) {
	sum := sha256.New()
	n := int64(0)
	for r, err := range l.Records(ctx, audit.Filter{}) {
		if err != nil {
			return "", err
		}
		if n < q.size {
			fmt.Fprintln(sum, r)
		}
		n++
	}
	return fmt.Sprintf("%d %x", min(n, q.size), sum.Sum(nil)), nil
}

type asking struct {
	answers answers
	refused error // the first
	broken  error
}

// note keeps an answer. That a token or version is gone is an answer too; anything else must be a refusal that callers can
// test for.
func (a *asking) note(what, text string, err error) {
	switch {
	case err == nil:
		a.answers[what] = text
	case errors.Is(err, vault.ErrNotFound), errors.Is(err, vault.ErrDenied):
		a.answers[what] = err.Error()
	case sentinel(err) == "":
		a.broken = errors.Join(a.broken, kit.Violationf("%s: an error of no kind: %v", what, err))
	case a.refused == nil:
		a.refused = err
	}
}

// wrong is the first answer that is not the true one.
func (a answers) wrong(truth answers) error {
	for what, got := range a {
		if want := truth[what]; got != want {
			at := 0
			for at < min(len(got), len(want)) && got[at] == want[at] {
				at++
			}
			return kit.Violationf("silently accepted: %s: …%.60q, want …%.60q", what, got[at:], want[at:])
		}
	}
	return nil
}

var sentinels = []struct {
	name string
	err  error
}{
	{"tampered", vault.ErrTampered}, {"rollback", vault.ErrRollback}, {"wrong key", vault.ErrWrongKey}, {"no key", vault.ErrNoKey},
	{"unavailable", vault.ErrKMSUnavailable}, {"unsupported", errors.ErrUnsupported}, {"clock", vault.ErrClock}, {"busy", vault.ErrBusy},
	{"conflict", vault.ErrConflict}, {"invalid", vault.ErrInvalid}, {"not recorded", vault.ErrNotRecorded},
}

// sentinel names the kind of a refusal, empty if it is of none.
func sentinel(err error) string {
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.name
		}
	}
	return ""
}
