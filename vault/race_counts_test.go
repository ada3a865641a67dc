// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// hammer calls attempt from many goroutines, each until it is refused, and returns the number of grants.
func hammer(goroutines int, attempt func(worker int) bool) int {
	var granted atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range goroutines {
		wg.Go(func() {
			<-start
			for attempt(i) {
				granted.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	return int(granted.Load())
}

const countLimit = 100

func TestCountsOneVault(t *testing.T) {
	v, _ := newBed(t).open()
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	s := mustIssue(t, op, reader(countLimit))
	n := hammer(64, func(int) bool { return granted(t, s) })
	wantCounted(t, v, s, n)
}

func granted(t testing.TB, s *vault.Session) bool {
	value, _, err := getPath(s, bedPath)
	if err == nil && value != "value" {
		t.Errorf("Get gave %q", value)
	}
	return err == nil
}

// wantCounted checks that grants, records and row all say 100, and that the counts in the records are 1 to 100.
func wantCounted(t testing.TB, v *vault.Vault, s *vault.Session, n int) {
	t.Helper()
	if n != countLimit {
		t.Errorf("%d grants, want %d", n, countLimit)
	}
	records := logOf(t, v, audit.Filter{Op: "get", Agent: "researcher", Outcome: audit.Granted})
	if len(records) != countLimit {
		t.Errorf("%d grants recorded, want %d", len(records), countLimit)
	}
	for i, r := range records {
		if len(r.Uses) == 0 || r.Uses[0] != i+1 {
			t.Fatalf("grant %d has the counts %v", i, r.Uses)
		}
	}
	wantUses(t, v.Operator("keeper"), s, countLimit)
	verifies(t, v)
}

func TestCountsFourVaults(t *testing.T) {
	b := newBed(t)
	first, _ := b.open()
	op := first.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	s := mustIssue(t, op, reader(countLimit))
	sessions := []*vault.Session{s}
	for range 3 {
		v, _ := b.open()
		sessions = append(sessions, at(v, s))
	}
	n := hammer(64, func(i int) bool { return granted(t, sessions[i%len(sessions)]) })
	wantCounted(t, first, s, n)
	again, _ := b.open() // what a new process reads
	wantUses(t, again.Operator("keeper"), s, countLimit)
	wantRefused(t, at(again, s), bedPath, vault.ErrDeadToken)
}

// TestCountsChain: a use counts at every link that has a limit, all or none.
func TestCountsChain(t *testing.T) {
	b := newBed(t)
	one, _ := b.open()
	two, _ := b.open()
	op := one.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	parent := mustIssue(t, op, reader(countLimit))
	const each = 60
	var children [2]*vault.Session
	tok, err := parent.Token().Narrow(vault.Grant{Agent: "researcher/offline", MaxUses: each})
	must(t, err)
	children[0] = one.Session(tok, noAddr)
	children[1] = at(two, mustIssue(t, parent, vault.Grant{Agent: "researcher/issued", MaxUses: each}))
	var per [2]atomic.Int64
	n := hammer(32, func(i int) bool {
		ok := granted(t, children[i%2])
		if ok {
			per[i%2].Add(1)
		}
		return ok
	})
	if a, b := per[0].Load(), per[1].Load(); a > each || b > each || a+b != countLimit {
		t.Errorf("%d and %d grants: want 100 in all, no more than %d each", a, b, each)
	}
	wantCounted(t, two, parent, n)
	for i, c := range children {
		wantUses(t, op, c, int(per[i].Load()))
		wantRefused(t, c, bedPath, vault.ErrDeadToken)
	}
	wantRefused(t, parent, bedPath, vault.ErrDeadToken)
	// A link without a limit between two with one.
	top := mustIssue(t, op, reader(2))
	free := mustIssue(t, top, vault.Grant{Agent: "researcher/free"})
	last := mustIssue(t, free, vault.Grant{MaxUses: 1})
	wantValue(t, last, bedPath, "value", 1)
	records := logOf(t, one, audit.Filter{Token: linkOf(t, last), Op: "get"})
	if got := fmt.Sprint(records[0].Uses); got != "[1 0 1]" {
		t.Errorf("uses %s", got)
	}
	wantRefused(t, last, bedPath, vault.ErrDeadToken)
	wantValue(t, free, bedPath, "value", 1)
	wantRefused(t, free, bedPath, vault.ErrDeadToken)
	wantUses(t, op, top, 2)
}

// TestCountsBurnNothing: what is refused or only lists burns no use.
func TestCountsBurnNothing(t *testing.T) {
	ctx := context.Background()
	v, _ := newBed(t).open()
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	s := mustIssue(t, op, reader(1))
	_, err := s.List(ctx, vault.Request{Path: "*"})
	must(t, err)
	_, err = s.Versions(ctx, vault.Request{Path: bedPath})
	must(t, err)
	wantRefused(t, s, "production/none", vault.ErrNotFound)
	wantRefused(t, s, "no path", vault.ErrInvalid)
	if err := s.Delete(ctx, vault.Request{Path: bedPath}); err == nil {
		t.Error("a reader deleted")
	}
	wantUses(t, op, s, 0)
	if !granted(t, s) {
		t.Error("the one use is gone")
	}
	wantRefused(t, s, bedPath, vault.ErrDeadToken)
}

// TestCountsControl runs the harness on a counter with the classic bug: it looks, and counts later.
func TestCountsControl(t *testing.T) {
	const workers = 64
	var uses atomic.Int64
	var looked sync.WaitGroup
	looked.Add(workers)
	var first [workers]bool // each worker's own
	broken := func(i int) bool {
		if uses.Load() >= 1 {
			if !first[i] {
				first[i] = true
				looked.Done()
			}
			return false
		}
		if !first[i] { // all have looked before any counts
			first[i] = true
			looked.Done()
			looked.Wait()
		}
		uses.Add(1)
		return true
	}
	if n := hammer(workers, broken); n <= 1 {
		t.Errorf("%d grants of 1: the seeded bug was not found", n)
	}
	// With the lock around both it is right, so the harness does not cry for nothing.
	var mu sync.Mutex
	left := countLimit
	right := func(int) bool {
		mu.Lock()
		defer mu.Unlock()
		left--
		return left >= 0
	}
	if n := hammer(workers, right); n != countLimit {
		t.Errorf("%d grants of a counter that is right", n)
	}
}
