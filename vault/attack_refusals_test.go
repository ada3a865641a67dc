// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// attackFlood is a vault in a bubble, whose clock is the bubble's.
func attackFlood(t *testing.T, f func(t *testing.T, a *attacked)) {
	synctest.Test(t, func(t *testing.T) { f(t, attackWith(t, vault.Config{Now: time.Now})) })
}

// told is what the log says of refusals from a record on: one by one, and by number.
func (a *attacked) told(v *vault.Vault, from int64) (records, counted int, lines []string) {
	a.t.Helper()
	for r, err := range v.Log().Records(context.Background(), audit.Filter{Since: from, Outcome: audit.Denied}) {
		if err != nil {
			a.t.Fatal(err)
		}
		if r.Op != "denials" {
			records++
			continue
		}
		sum, own := 0, strings.Split(r.Detail, "; ")
		for _, line := range own {
			i := strings.LastIndex(line, ": ")
			n, err := strconv.Atoi(line[i+2:])
			if err != nil || n < 1 {
				a.t.Errorf("line %q", line)
			}
			sum += n
		}
		if sum != r.Count || len(own) > 64 {
			a.t.Errorf("a record of %d refusals has %d lines with %d", r.Count, len(own), sum)
		}
		counted, lines = counted+r.Count, append(lines, own...)
	}
	return records, counted, lines
}

func (a *attacked) refused(n int, s door) {
	a.t.Helper()
	for range n {
		if err := attackGet(s, "staging/x"); !errors.Is(err, vault.ErrDenied) {
			a.t.Fatalf("refused with %v", err)
		}
	}
}

// TestAttackFlood: what is refused too often is counted, and no refusal is lost.
func TestAttackFlood(t *testing.T) {
	local := netip.Addr{}
	narrow := scope.MustParse("secrets:read:production/*")
	attackFlood(t, func(t *testing.T, a *attacked) {
		s := a.issue(vault.Grant{Scopes: narrow})
		id := attackLink(t, s)
		first := a.size()
		a.refused(20, s)
		for i := range 30 { // 30 narrowings, each with a name of its own
			tok, err := s.Token().Narrow(vault.Grant{Agent: fmt.Sprint("researcher/n", i)})
			if err != nil {
				t.Fatal(err)
			}
			a.refused(1, a.v.Session(tok, local))
		}
		if records, counted, _ := a.told(a.v, first); records != 20 || counted != 0 {
			t.Errorf("before the second is over: %d records, %d counted", records, counted)
		}
		if err := attackGet(s, attackPath); err != nil {
			t.Errorf("what is allowed is let through all the same: %v", err)
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		records, counted, lines := a.told(a.v, first)
		if records != 20 || counted != 30 || len(lines) != 1 || lines[0] != "scope "+id+": 30" {
			t.Errorf("%d records, %d counted: %q", records, counted, lines)
		}
		a.refused(1, s)
		if records, _, _ := a.told(a.v, first); records != 21 {
			t.Error("the next second begins with a count")
		}
	})
	attackFlood(t, func(t *testing.T, a *attacked) { // strangers
		first := a.size()
		for i := range 250 {
			tok := vault.NewToken(fmt.Sprint("kw_tok_", attackMark, i))
			if i%2 == 0 {
				tok = vault.NewToken(fmt.Sprint("kw_agent_", attackMark, i))
			}
			a.refused(1, a.v.Session(tok, netip.AddrFrom4([4]byte{10, byte(i % 100), byte(i % 3), byte(i)})))
		}
		a.refused(30, a.v.Session(vault.Token{}, netip.MustParseAddr("2001:db8::1")))
		if err := attackGet(a.op, attackPath); err != nil {
			t.Error(err)
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		records, counted, lines := a.told(a.v, first)
		if records != 100 || counted != 180 {
			t.Errorf("%d records, %d counted", records, counted)
		}
		if len(lines) != 64 || !strings.Contains(strings.Join(lines, ";"), ";rest: ") {
			t.Errorf("%d lines: %q", len(lines), lines)
		}
		if all := strings.Join(lines, ""); strings.Contains(all, attackMark) {
			t.Error("the counts name the tokens")
		}
	})
	attackFlood(t, func(t *testing.T, a *attacked) { // an operator of this process is never counted
		first := a.size()
		for range 300 {
			if err := attackGet(a.op, "not/there"); !errors.Is(err, vault.ErrNotFound) {
				t.Fatal(err)
			}
		}
		if records, counted, _ := a.told(a.v, first); records != 300 || counted != 0 {
			t.Errorf("an operator: %d records, %d counted", records, counted)
		}
	})
}

// TestAttackFloodEnds: what was counted is recorded at Close.
func TestAttackFloodEnds(t *testing.T) {
	attackFlood(t, func(t *testing.T, a *attacked) {
		first := a.size()
		v := a.open(vault.Config{Now: time.Now})
		for range 250 {
			a.refused(1, v.Session(vault.Token{}, netip.Addr{}))
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		records, counted, lines := a.told(a.v, first)
		if records != 100 || counted != 150 || len(lines) != 1 || lines[0] != "bad_token local: 150" {
			t.Errorf("%d records, %d counted: %q", records, counted, lines)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if r, c, _ := a.told(a.v, first); r+c != 250 {
			t.Errorf("after Close: %d", r+c)
		}
		if err := v.Log().Verify(t.Context()); !errors.Is(err, vault.ErrClosed) {
			t.Errorf("a closed vault: %v", err)
		}
	})
}

// TestAttackFloodExact: over many seconds, many callers at once and two vaults, records and counts equal attempts.
func TestAttackFloodExact(t *testing.T) {
	attackFlood(t, func(t *testing.T, a *attacked) {
		other := a.open(vault.Config{Now: time.Now})
		var bad []*vault.Session
		for i := range 6 {
			s := a.issue(vault.Grant{Scopes: scope.MustParse("secrets:read:production/*")})
			bad = append(bad, s, other.Session(s.Token(), netip.Addr{}), a.v.Session(vault.Token{}, netip.AddrFrom4([4]byte{10, byte(i)})))
		}
		r := rand.New(rand.NewPCG(3, 4))
		first, attempts := a.size(), 0
		for range 12 {
			var wg sync.WaitGroup
			for _, s := range bad {
				n := r.IntN(60)
				attempts += n
				wg.Go(func() { a.refused(n, s) })
			}
			wg.Wait()
			time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
		}
		time.Sleep(2100 * time.Millisecond)
		synctest.Wait()
		records, counted, _ := a.told(a.v, first)
		if records+counted != attempts || counted == 0 {
			t.Errorf("%d records and %d counted are %d, of %d attempts", records, counted, records+counted, attempts)
		}
		if err := a.v.Log().Verify(context.Background()); err != nil {
			t.Error(err)
		}
		t.Logf("%d attempts, %d records, %d counted", attempts, records, counted)
	})
}
