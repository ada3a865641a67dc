// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

const path = "production/search/key"

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

// probeAny presents every token while nobody knows what the clock shows, which may stop a call or make it too old. What is
// seen dead stays dead.
func (b *bed) probeAny() error {
	for n, v := range b.vaults {
		for _, c := range b.cards {
			it, err := v.Session(c.bearer, netip.Addr{}).Get(b.ctx, vault.Request{Path: path})
			allowed := err == nil || errors.Is(err, vault.ErrDeadToken) || errors.Is(err, vault.ErrClock) || errors.Is(err, vault.ErrConflict)
			switch {
			case !allowed, c.dead && !errors.Is(err, vault.ErrDeadToken), err != nil && it.Value.Reveal() != "":
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
