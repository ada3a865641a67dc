// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

// measured is what an open vault costs.
type measured struct {
	size               int64 // records
	open, verify       time.Duration
	get50, get99       time.Duration
	opening, verifying peak
	held               int64 // bytes of the open vault
}

// measure opens the vault, uses each of some tokens once, and verifies the log.
func (s *site) measure(ctx context.Context, bearers []vault.Token) (m measured, err error) {
	var wrap func(vault.Store) vault.Store
	if s.Bug {
		wrap = func(st vault.Store) vault.Store { return kit.Over(st, &hoarder{Store: st}) }
	}
	base := live()
	w := watch()
	start := time.Now()
	v, err := s.open(ctx, wrap)
	m.open, m.opening = time.Since(start), w.stop()
	if err != nil {
		return m, kit.Violationf("the vault does not open: %v", err)
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	m.held = live() - base
	if m.get50, m.get99, err = gets(ctx, v, bearers); err != nil {
		return m, err
	}
	w, start = watch(), time.Now()
	err = v.Log().Verify(ctx)
	m.verify, m.verifying = time.Since(start), w.stop()
	m.opening.live, m.verifying.live = m.opening.live-base, m.verifying.live-base
	if err != nil {
		return m, kit.Violationf("the log does not verify: %v", err)
	}
	m.size, err = size(ctx, v)
	return m, err
}

// gets is one read after the other, each by another token: the middle one and the slowest of a hundred.
func gets(ctx context.Context, v *vault.Vault, bearers []vault.Token) (p50, p99 time.Duration, err error) {
	var took []time.Duration
	for _, b := range bearers {
		t := v.Session(b, netip.Addr{})
		start := time.Now()
		if _, err := t.Get(ctx, vault.Request{Path: path}); err != nil {
			return 0, 0, kit.Violationf("a live token: %v", err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], nil
}

func (s *site) figures(m measured) {
	s.Figure("open", against(m.open, goalOpen))
	s.Figure("held", mib(m.held))
	s.Figure("peak of open", m.opening)
	s.Figure("get p50", m.get50.Round(time.Microsecond))
	s.Figure("p99", against(m.get99, goalGet))
	s.Figure("verify", against(m.verify, goalVerify))
	s.Figure("peak of verify", m.verifying)
	if more := m.verifying.live - m.held; more > goalMemory {
		s.Figure("verify needs", mib(more)+" more, ABOVE the goal of "+mib(goalMemory))
	}
}

func against(d, goal time.Duration) string {
	text := d.Round(10 * time.Microsecond).String()
	if d > goal {
		text += " (ABOVE the goal of " + goal.String() + ")"
	}
	return text
}

const (
	perRecord = 4       // bytes of memory that each record of the log may take
	slack     = 8 << 20 // and a quarter of what there was: the collector is not exact
)

// grown is a Violation if memory has grown with the log.
func grown(little, all measured) error {
	for _, c := range []struct {
		what         string
		little, more int64
	}{
		{"the open vault", little.held, all.held - little.held},
		{"open", little.opening.live, all.opening.live - little.opening.live},
		{"verify", little.verifying.live, all.verifying.live - little.verifying.live},
	} {
		records := all.size - little.size
		if c.more > perRecord*records+slack+c.little/4 {
			return kit.Violationf("memory grows with the log: %s takes %s more with %d records more", c.what, mib(c.more), records)
		}
	}
	return nil
}

// purge lets a day pass, so that every token is dead, and makes commits until their rows are gone.
func (s *site) purge(ctx context.Context, tokens int) (err error) {
	s.clock.Store(int64(25 * time.Hour))
	v, err := s.open(ctx, nil)
	if err != nil {
		return kit.Violationf("the vault does not open with dead tokens: %v", err)
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	before, err := size(ctx, v)
	if err != nil {
		return err
	}
	var longest, all time.Duration
	commits := 2*tokens/purgeAt + 1 // rows that end in one second go together or not at all
	for range commits {
		start := time.Now()
		if _, err := v.Operator("scale").Get(ctx, vault.Request{Path: path}); err != nil {
			return kit.Violationf("while dead rows are purged: %v", err)
		}
		took := time.Since(start)
		longest, all = max(longest, took), all+took
	}
	gone, most := 0, 0
	for r, err := range v.Log().Records(ctx, audit.Filter{Op: "purge", Since: before}) {
		if err != nil {
			return kit.Violationf("reading the log: %v", err)
		}
		gone, most = gone+r.Count, max(most, r.Count)
	}
	s.Figure("purged", fmt.Sprintf("%d rows in %d commits, at most %d and %s in one, %s in all",
		gone, commits, most, against(longest, goalPurge), all.Round(time.Millisecond)))
	if left := tokens - gone; left >= purgeAt {
		return kit.Violationf("%d rows of dead tokens were not purged by %d commits", left, commits)
	}
	return nil
}

const purgeAt = 1024 // dead rows that a commit finds are removed
