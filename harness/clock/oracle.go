// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const path = "production/search/key"

// card is a token and what the oracle knows of it.
type card struct {
	name, id string
	bearer   vault.Token
	expires  time.Time
	dead     bool // it was refused once, so it is never granted again
}

// deal issues the tokens of a case, at noon.
func (b *bed) deal() error {
	op := b.vaults[0].Operator("clock")
	if _, err := op.Put(b.ctx, vault.Item{Path: path, Value: vault.NewSecret("value")}); err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		ttl  time.Duration
		uses int
	}{{"short", time.Minute, 0}, {"hour", time.Hour, 0}, {"day", 24 * time.Hour, 0}, {"used up", 24 * time.Hour, 1}, {"revoked", 24 * time.Hour, 0}} {
		if err := b.issue(op, c.name, c.ttl, c.uses); err != nil {
			return err
		}
	}
	day, used, revoked := b.cards[2], b.cards[3], b.cards[4]
	narrow, err := b.vaults[0].Session(day.bearer, netip.Addr{}).Issue(b.ctx, vault.Grant{TTL: 30 * time.Minute})
	if err != nil {
		return err
	}
	_, err = b.vaults[0].Session(used.bearer, netip.Addr{}).Get(b.ctx, vault.Request{Path: path})
	if err = errors.Join(err, op.Revoke(b.ctx, revoked.id, "clock")); err != nil {
		return err
	}
	used.dead, revoked.dead = true, true
	return b.add("narrowed", narrow)
}

func (b *bed) issue(op *vault.Operator, name string, ttl time.Duration, uses int) error {
	s, err := op.Issue(b.ctx, vault.Grant{Agent: "clock", Scopes: scope.MustParse("secrets:read:*"), TTL: ttl, MaxUses: uses})
	if err != nil {
		return err
	}
	return b.add(name, s)
}

func (b *bed) add(name string, s *vault.Session) error {
	claims, err := s.Claims(b.ctx)
	if err != nil {
		return err
	}
	end := claims[0].Expires
	for _, l := range claims {
		if !l.Expires.IsZero() && l.Expires.Before(end) {
			end = l.Expires
		}
	}
	b.cards = append(b.cards, &card{name: name, id: claims[len(claims)-1].ID, bearer: s.Token(), expires: end})
	return nil
}

func (b *bed) steps(steps ...func() error) error {
	for n, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
	}
	return nil
}

func (b *bed) at(t time.Time) func() error {
	return func() error { b.clock.set(t); return nil }
}

func (b *bed) flicker(t time.Time) func() error {
	return func() error { b.clock.set(noon, noon, t); return nil }
}

// now is the time that counts, and whether grants must be refused for it.
func (b *bed) now() (t time.Time, behind bool) {
	wall := b.clock.read()
	switch {
	case !possible(wall):
		return b.last, true
	case wall.Before(b.last):
		return b.last, wall.Before(b.last.Add(-2 * time.Minute))
	}
	return wall, false
}

// possible: from the second after the beginning of 1970 to the end of the year 9999.
func possible(t time.Time) bool {
	return t.Unix() > 0 && t.Before(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))
}

// probe presents every token to both vaults.
func (b *bed) probe() error {
	for n, v := range b.vaults {
		for _, c := range b.cards {
			now, behind := b.now()
			c.dead = c.dead || !now.Before(c.expires)
			want := error(nil)
			switch {
			case c.dead:
				want = vault.ErrDeadToken
				b.attempts++
			case behind:
				want = vault.ErrClock
			}
			it, err := v.Session(c.bearer, netip.Addr{}).Get(b.ctx, vault.Request{Path: path})
			b.last = now
			if !errors.Is(err, want) || err != nil && it.Value.Reveal() != "" {
				return kit.Violationf("vault %d, the wall clock at %s, the last record at %s: token %q, good until %s, answers %v, want %v",
					n, b.clock.read(), now, c.name, c.expires, err, want)
			}
		}
		if err := b.put(v); err != nil {
			return err
		}
	}
	return nil
}

// put is a change by an operator, who is stopped by a wrong clock as well.
func (b *bed) put(v *vault.Vault) error {
	now, behind := b.now()
	want := error(nil)
	if behind {
		want = vault.ErrClock
	}
	_, err := v.Operator("clock").Put(b.ctx, vault.Item{Path: path, Value: vault.NewSecret("value")})
	b.last = now
	if !errors.Is(err, want) {
		return kit.Violationf("the wall clock at %s, the last record at %s: put answers %v, want %v", b.clock.read(), now, err, want)
	}
	return nil
}

// probeAny presents every token while nobody knows what the clock shows. What is seen dead stays dead.
func (b *bed) probeAny() error {
	for n, v := range b.vaults {
		for _, c := range b.cards {
			_, err := v.Session(c.bearer, netip.Addr{}).Get(b.ctx, vault.Request{Path: path})
			switch {
			case c.dead && !errors.Is(err, vault.ErrDeadToken), err != nil && !kit.Typed(err):
				return kit.Violationf("vault %d: token %q, dead %v, answers %v", n, c.name, c.dead, err)
			case c.dead:
				b.attempts++
			}
			c.dead = c.dead || errors.Is(err, vault.ErrDeadToken)
		}
	}
	return nil
}

// reset asks for ResetClock, which is refused unless the clock is right and the last record is not.
func (b *bed) reset() error {
	now, behind := b.now()
	wall := b.clock.read()
	want := error(nil)
	switch {
	case !behind:
		want = vault.ErrConflict
	case !possible(wall):
		want = vault.ErrClock
	}
	op := b.vaults[0].Operator("clock")
	err := op.ResetClock(b.ctx, "clock")
	b.last = now
	if !errors.Is(err, want) {
		return kit.Violationf("the wall clock at %s, the last record at %s: ResetClock answers %v, want %v", wall, now, err, want)
	}
	if err != nil {
		return nil
	}
	b.last = wall
	for _, c := range b.cards {
		c.dead = true
	}
	if err := b.issue(op, "new", time.Hour, 0); err != nil {
		return kit.Violationf("after ResetClock: issue: %v", err)
	}
	return nil
}

// checkLog reads the log: it verifies, time goes back in it by ResetClock alone, and nothing is granted to a token at or
// behind its end.
func (b *bed) checkLog() error {
	log := b.vaults[1].Log()
	if err := log.Verify(b.ctx); err != nil {
		return kit.Violationf("the log does not verify: %v", err)
	}
	ends := map[string]time.Time{}
	for _, c := range b.cards {
		ends[c.id] = c.expires
	}
	var before time.Time
	for r, err := range log.Records(b.ctx, audit.Filter{}) {
		if err != nil {
			return kit.Violationf("reading the log: %v", err)
		}
		if reset := r.Op == "clock" && r.Outcome == audit.Granted; r.Time.Before(before) && !reset {
			return kit.Violationf("record %d: time went back from %s to %s", r.Seq, before, r.Time)
		}
		if end, known := ends[r.Token]; known && r.Outcome == audit.Granted && !r.Time.Before(end) {
			return kit.Violationf("record %d: granted at %s to a token that ended at %s", r.Seq, r.Time, end)
		}
		before = r.Time
	}
	return nil
}

// made makes a vault while the clock shows a time, and then sets it right.
func made(ctx context.Context, r *kit.Run, at time.Time) error {
	dir := filepath.Join(r.Dir, fmt.Sprint("made-", at.Unix(), ".", at.Nanosecond()))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	store, err := r.Store.Open(ctx, filepath.Join(dir, kit.StoreFile))
	if err != nil {
		return err
	}
	now := at
	v, err := vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(filepath.Join(dir, kit.KeyFile)), Now: func() time.Time { return now }})
	if !possible(at) {
		if !errors.Is(err, vault.ErrClock) {
			return kit.Violationf("a new vault in an impossible year: %v", err)
		}
		return nil
	}
	if err != nil {
		return kit.Violationf("a new vault: %v", err)
	}
	now = noon
	want := error(nil)
	if noon.Before(at.Add(-2 * time.Minute)) {
		want = vault.ErrClock
	}
	if _, err := v.Operator("clock").Put(ctx, vault.Item{Path: path, Value: vault.NewSecret("value")}); !errors.Is(err, want) {
		return errors.Join(kit.Violationf("put when the clock is right again: %v, want %v", err, want), v.Close())
	}
	return v.Close()
}
