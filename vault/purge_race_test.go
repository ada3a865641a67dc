// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

const (
	day         = 24 * time.Hour
	revokedLife = 30 * day // of the row of a token that an operator has revoked
)

// purgeBed is a bed with a clock, a secret and a keeper.
type purgeBed struct {
	*bed
	*steppedClock
	v  *vault.Vault
	p  *tap
	op *vault.Operator
	n  int // links revoked
}

func newPurgeBed(t testing.TB) *purgeBed {
	b := &purgeBed{bed: newBed(t), steppedClock: newSteppedClock()}
	b.v, b.p = b.open(b.use)
	b.op = b.v.Operator("keeper")
	mustPut(t, b.op, bedPath, "value")
	return b
}

func purgeLink(i int) string { return fmt.Sprintf("%032x", i) }

// revoke makes rows of tokens, which end in 30 days.
func (b *purgeBed) revoke(n int) {
	b.t.Helper()
	for range n {
		b.n++
		must(b.t, b.op.Revoke(b.t.Context(), purgeLink(b.n), ""))
	}
}

// agrees checks that the vaults, and one that opens now, grant, and that the store has so many rows of tokens.
func (b *purgeBed) agrees(when string, rows int, vaults ...*vault.Vault) {
	b.t.Helper()
	if n := tokenRows(b.t, b.bed); n != rows {
		b.t.Errorf("%s: %d rows, want %d", when, n, rows)
	}
	for range 2 {
		again, _ := b.open(b.use)
		for _, v := range append(vaults, b.v, again) {
			wantValue(b.t, v.Operator("keeper"), bedPath, "value", 1)
		}
		must(b.t, again.Close())
	}
	verifies(b.t, b.v)
}

func (b *purgeBed) wantPurges(counts ...int) {
	b.t.Helper()
	var got []int
	for _, r := range logOf(b.t, b.v, audit.Filter{Op: "purge"}) {
		got = append(got, r.Count)
	}
	if fmt.Sprint(got) != fmt.Sprint(counts) {
		b.t.Errorf("purges of %v rows, want %v", got, counts)
	}
}

// TestPurgeBesideOthers: another process purges when a batch of this one waits for the lock.
func TestPurgeBesideOthers(t *testing.T) {
	for name, c := range map[string]struct {
		call func(*purgeBed) error
		rows int
	}{
		"a read":                  {func(b *purgeBed) error { _, _, err := getPath(b.op, bedPath); return err }, 100},
		"a token that is new":     {func(b *purgeBed) error { return b.op.Revoke(t.Context(), purgeLink(9999), "") }, 101},
		"a token that was purged": {func(b *purgeBed) error { return b.op.Revoke(t.Context(), purgeLink(7), "") }, 101},
		"a token that is alive":   {func(b *purgeBed) error { return b.op.Revoke(t.Context(), purgeLink(1100), "") }, 100},
	} {
		t.Run(name, func(t *testing.T) {
			b := newPurgeBed(t)
			b.revoke(1024)
			b.add(10 * day)
			b.revoke(100)
			other, _ := b.open(b.use)
			b.add(revokedLife - 5*day)
			b.p.onceBefore(func() { wantValue(t, other.Operator("keeper"), bedPath, "value", 1) })
			must(t, c.call(b))
			b.wantPurges(1024)
			b.agrees("behind it", c.rows, other)
		})
	}
}

// TestPurgeLearntInVain: the batch that learns of another process's purge fails. The next one learns of it again.
func TestPurgeLearntInVain(t *testing.T) {
	b := newPurgeBed(t)
	b.revoke(1030)
	other, _ := b.open(b.use)
	b.add(revokedLife + time.Minute)
	wantValue(t, other.Operator("keeper"), bedPath, "value", 1)
	b.p.Store = fullStore{b.store}
	for range 3 {
		wantRefused(t, b.op, bedPath, vault.ErrNotRecorded)
	}
	b.p.Store = b.store
	b.agrees("behind it", 0, other)
	b.wantPurges(1030)
}

// TestPurgeOutcome: the commit that purges fails, or seems to. The rows go once, and every process agrees on it.
func TestPurgeOutcome(t *testing.T) {
	for _, f := range storeFaults() {
		t.Run(f.name, func(t *testing.T) {
			b := newPurgeBed(t)
			b.revoke(1030)
			other, _ := b.open(b.use)
			b.add(revokedLife + time.Minute)
			f.once(b.p)
			wantRefused(t, b.op, bedPath, vault.ErrNotRecorded)
			if n := tokenRows(t, b.bed); (n == 0) != f.committed {
				t.Errorf("%d rows behind the fault", n)
			}
			wantValue(t, b.op, bedPath, "value", 1)
			b.agrees("behind it", 0, other)
			b.wantPurges(1030)
			b.revoke(3)
			b.agrees("three more", 3, other)
		})
	}
}

// TestPurgeRevokedAgain: the batch that purges revokes some of the dead again. Their rows stay.
func TestPurgeRevokedAgain(t *testing.T) {
	for _, dead := range []int{1023, 1024, 1025, 2000} {
		t.Run(fmt.Sprint(dead), func(t *testing.T) {
			b := newPurgeBed(t)
			b.revoke(dead)
			other, _ := b.open(b.use)
			b.add(revokedLife + time.Minute)
			must(t, b.op.Revoke(t.Context(), purgeLink(5), "once more"))
			if dead <= 1024 { // one of them is alive again
				b.agrees("behind it", dead, other)
				b.wantPurges()
				return
			}
			b.agrees("behind it", 1, other)
			b.wantPurges(dead - 1)
			b.add(revokedLife + time.Minute)
			b.revoke(1022)
			b.add(revokedLife - time.Minute)
			b.agrees("it is dead again, alone", 1023, other)
		})
	}
}

// TestPurgeManyAtOnce: rows that end in one second go in one commit, however many.
func TestPurgeManyAtOnce(t *testing.T) {
	b := newPurgeBed(t)
	b.revoke(1)
	b.add(time.Second)
	b.revoke(5000)
	b.add(time.Second)
	b.revoke(10)
	other, _ := b.open(b.use)
	b.add(revokedLife + time.Minute)
	wantValue(t, b.op, bedPath, "value", 1)
	b.wantPurges(1) // those of the next second would be more than 1,024
	wantValue(t, b.op, bedPath, "value", 1)
	b.wantPurges(1, 5000)
	b.agrees("behind it", 10, other)
}

// TestPurgeWhileOpening: a process opens while another purges twice and revokes again what was purged: before each page, and
// before the update behind them.
func TestPurgeWhileOpening(t *testing.T) {
	from := newPurgeBed(t)
	from.revoke(1100)
	from.add(time.Hour)
	from.revoke(1400)
	from.add(2 * revokedLife)
	d := dumpOf(t, from.store)
	for at := 0; ; at++ {
		b := &purgeBed{bed: &bed{t, d.store(t), from.root}, steppedClock: from.steppedClock}
		b.v, _ = b.open(b.use)
		b.op = b.v.Operator("keeper")
		purge := func() {
			wantValue(t, b.op, bedPath, "value", 1)
			wantValue(t, b.op, bedPath, "value", 1)
			must(t, b.op.Revoke(t.Context(), purgeLink(3), ""))
		}
		calls, done := 0, false
		p := &tap{Store: b.store}
		p.atRows(func(string) error {
			if calls == at {
				done = true
				purge()
			}
			calls++
			return nil
		})
		last := false
		p.atUpdate(func(next func() error) error {
			p.atUpdate(nil)
			if !done { // behind all pages
				last = true
				purge()
			}
			return next()
		})
		v, err := vault.Open(t.Context(), vault.Config{Store: p, Root: b.root, Now: b.Now})
		must(t, err)
		p.atRows(nil)
		b.wantPurges(1100, 1400)
		b.agrees(fmt.Sprintf("purged at page %d", at), 1, v)
		must(t, v.Close())
		must(t, b.v.Close())
		if last {
			if at < 5 {
				t.Errorf("only %d calls of Rows", at)
			}
			return
		}
	}
}

// TestPurgeAtRandom: processes that revoke, purge, open and close, and a clock that goes on. Nothing that is alive is
// dropped, and at every step all agree.
func TestPurgeAtRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 19))
	b := newPurgeBed(t)
	others := make([]*vault.Vault, 2)
	for i := range others {
		others[i], _ = b.open(b.use)
	}
	ends := map[string]int64{}
	for range 25 {
		for range 4 {
			op := others[r.IntN(2)].Operator("keeper")
			for range 50 + r.IntN(100) {
				link := purgeLink(r.IntN(6000))
				must(t, op.Revoke(t.Context(), link, ""))
				ends[link] = b.Now().Add(revokedLife).Unix()
			}
		}
		b.add(time.Duration(r.IntN(int(15 * day))))
		i := r.IntN(2)
		must(t, others[i].Close())
		others[i], _ = b.open(b.use)
		for _, v := range append(others, b.v) {
			wantValue(t, v.Operator("keeper"), bedPath, "value", 1)
		}
		dead := 0
		rows := map[string]bool{}
		for _, r := range dumpOf(t, b.store).rows {
			rows[r.Key] = true
		}
		for link, end := range ends {
			there := rows["t:"+link]
			switch alive := end >= b.Now().Unix(); {
			case alive && !there:
				t.Fatalf("the row of %s is gone before its time", link)
			case !alive && there:
				dead++
			}
		}
		if dead >= 2*1024 {
			t.Errorf("%d dead rows lie about", dead)
		}
	}
	if n := len(logOf(t, b.v, audit.Filter{Op: "purge"})); n < 3 {
		t.Errorf("only %d purges", n)
	}
	verifies(t, b.v)
}
