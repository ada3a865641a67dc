// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// steppedClock is a wall clock that a test moves.
type steppedClock struct{ at atomic.Int64 }

func newSteppedClock() *steppedClock {
	c := &steppedClock{}
	c.at.Store(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).Unix())
	return c
}

func (c *steppedClock) Now() time.Time        { return time.Unix(c.at.Load(), 0) }
func (c *steppedClock) add(d time.Duration)   { c.at.Add(int64(d / time.Second)) }
func (c *steppedClock) use(cfg *vault.Config) { cfg.Now = c.Now }

func tokenRows(t testing.TB, b *bed) (n int) {
	t.Helper()
	rows, err := b.store.Rows(context.Background(), "t:", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if strings.HasPrefix(r.Key, "t:") {
			n++
		}
	}
	return n
}

// usedTokens issues counted tokens that live so long, and uses each once, so that each has a row.
func usedTokens(t testing.TB, op *vault.Operator, n int, ttl time.Duration) (last *vault.Session) {
	t.Helper()
	for range n {
		g := reader(5)
		g.TTL = ttl
		last = mustIssue(t, op, g)
		wantValue(t, last, bedPath, "value", 1)
	}
	return last
}

// TestPurge: rows of dead tokens go when there are 1,024, those that ended first, and every process, those too that open
// later, agrees on which are left.
func TestPurge(t *testing.T) {
	for _, c := range []struct {
		name             string
		first, second    int // tokens that live an hour, and two hours
		wantRows, purges int // three hours later, when one more call has been made
	}{
		{"too few", 1000, 23, 1023, 0},
		{"just enough", 1000, 24, 0, 1},
		{"the first to end go first", 1000, 30, 30, 1},
		{"those of one second go together", 1100, 30, 30, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, clock := newBed(t), newSteppedClock()
			v, _ := b.open(clock.use)
			other, _ := b.open(clock.use)
			op := v.Operator("keeper")
			mustPut(t, op, bedPath, "value")
			usedTokens(t, op, c.first, time.Hour)
			spare := usedTokens(t, op, c.second, 2*time.Hour)
			wantValue(t, at(other, spare), bedPath, "value", 1) // it knows the rows
			clock.add(3 * time.Hour)
			if n := tokenRows(t, b); n != c.first+c.second {
				t.Fatalf("%d rows before", n)
			}
			fresh := mustIssue(t, op, reader(2))
			if n := tokenRows(t, b); n != c.wantRows {
				t.Errorf("%d rows are left, want %d", n, c.wantRows)
			}
			if got := logOf(t, v, audit.Filter{Op: "purge"}); len(got) != c.purges {
				t.Errorf("%d records of a purge: %v", len(got), got)
			}
			wantRefused(t, spare, bedPath, vault.ErrDeadToken)
			wantRefused(t, at(other, spare), bedPath, vault.ErrDeadToken)
			wantValue(t, at(other, fresh), bedPath, "value", 1) // the other process dropped the same rows
			later, _ := b.open(clock.use)
			wantValue(t, at(later, fresh), bedPath, "value", 1)
			wantRefused(t, at(v, fresh), bedPath, vault.ErrDeadToken) // used up
			verifies(t, later)
		})
	}
}

// TestPurgeFails: a purge that could not be committed is made by the next commit, and takes nothing that is alive.
func TestPurgeFails(t *testing.T) {
	b, clock := newBed(t), newSteppedClock()
	v, p := b.open(clock.use)
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	usedTokens(t, op, 1024, time.Hour)
	g := reader(3)
	g.TTL = 5 * time.Hour
	alive := mustIssue(t, op, g)
	wantValue(t, alive, bedPath, "value", 1)
	clock.add(2 * time.Hour)
	p.Store = fullStore{b.store}
	for range 3 {
		wantRefused(t, alive, bedPath, syscall.ENOSPC)
	}
	p.Store = b.store
	wantValue(t, alive, bedPath, "value", 1)
	if n := tokenRows(t, b); n != 1 {
		t.Errorf("%d rows are left", n)
	}
	wantValue(t, alive, bedPath, "value", 1)
	wantRefused(t, alive, bedPath, vault.ErrDeadToken)
	verifies(t, v)
}

// fullStore runs an update and has no room for what it says.
type fullStore struct{ vault.Store }

func (s fullStore) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	err := s.Store.Update(ctx, since, func(changed []vault.Row) (vault.Batch, error) {
		_, err := fn(changed)
		return vault.Batch{}, errors.Join(err, syscall.ENOSPC)
	})
	return err
}

// TestPurgeRevoked: a revoked token whose row was purged is dead by its age, and one that is revoked again comes back as a row.
func TestPurgeRevoked(t *testing.T) {
	b, clock := newBed(t), newSteppedClock()
	v, _ := b.open(clock.use)
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	last := usedTokens(t, op, 1024, time.Hour)
	if err := last.Revoke(t.Context(), linkOf(t, last), "done"); err != nil {
		t.Fatal(err)
	}
	clock.add(2 * time.Hour)
	fresh := mustIssue(t, op, reader(1))
	if n := tokenRows(t, b); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	wantRefused(t, last, bedPath, vault.ErrDeadToken)
	if err := op.Revoke(t.Context(), linkOf(t, last), "once more"); err != nil {
		t.Fatal(err)
	}
	if n := tokenRows(t, b); n != 1 {
		t.Errorf("%d rows, want the one revoked", n)
	}
	later, _ := b.open(clock.use)
	wantRefused(t, at(later, last), bedPath, vault.ErrDeadToken)
	wantValue(t, at(later, fresh), bedPath, "value", 1)
}

// TestPurgedRowPutBack: the head says which rows are gone; one that is put back is found.
func TestPurgedRowPutBack(t *testing.T) {
	b, clock := newBed(t), newSteppedClock()
	v, _ := b.open(clock.use)
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	usedTokens(t, op, 1024, time.Hour)
	old := dumpOf(t, b.store)
	clock.add(2 * time.Hour)
	mustIssue(t, op, reader(1))
	now := dumpOf(t, b.store)
	for _, r := range old.rows {
		if strings.HasPrefix(r.Key, "t:") {
			now.rows = append(now.rows, r)
			break
		}
	}
	if _, err := vault.Open(t.Context(), vault.Config{Store: now.store(t), Root: b.root, Now: clock.Now}); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("opened with %v", err)
	}
}
