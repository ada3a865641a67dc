// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"errors"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// leap is a vault whose clock was ten years ahead for a while, and is right again.
type leap struct {
	*bed
	clock         *steppedClock
	v             *vault.Vault // open all the time
	late          *vault.Vault // opened while the clock was wrong
	op            *vault.Operator
	before, while *vault.Session // issued before the clock went wrong, and while it was
	whileID       string
}

func newLeap(t *testing.T) leap {
	l := leap{bed: newBed(t), clock: newSteppedClock()}
	l.v, _ = l.open(l.clock.use)
	l.op = l.v.Operator("keeper")
	mustPut(t, l.op, bedPath, "value")
	l.before = mustIssue(t, l.op, reader(9))
	wantValue(t, l.before, bedPath, "value", 1)
	l.clock.add(10 * 365 * 24 * time.Hour)
	l.late, _ = l.open(l.clock.use)
	l.while = mustIssue(t, l.late.Operator("keeper"), reader(9))
	wantValue(t, at(l.v, l.while), bedPath, "value", 1)
	l.whileID = linkOf(t, l.while)
	l.clock.add(-10 * 365 * 24 * time.Hour)
	l.clock.add(time.Minute)
	return l
}

// TestResetClock: a wrong jump forward stops all grants when the clock is right again; ResetClock lets them go on, in every
// process, at the time of the wall clock, and no token from before lives.
func TestResetClock(t *testing.T) {
	l := newLeap(t)
	wantRefused(t, l.op, bedPath, vault.ErrClock)
	wantRefused(t, l.late.Operator("keeper"), bedPath, vault.ErrClock)
	if err := l.op.ResetClock(t.Context(), "the time server was wrong"); err != nil {
		t.Fatal(err)
	}
	wantLast(t, l.v, audit.Filter{Op: "clock"}, audit.Granted, "")
	for name, v := range map[string]*vault.Vault{"the same": l.v, "one that began in the wrong time": l.late, "a new one": opened(l.open(l.clock.use))} {
		wantValue(t, v.Operator("keeper"), bedPath, "value", 1)
		wantRefused(t, at(v, l.before), bedPath, vault.ErrDeadToken)
		wantRefused(t, at(v, l.while), bedPath, vault.ErrDeadToken)
		fresh := mustIssue(t, v.Operator("keeper"), reader(1))
		wantValue(t, at(l.late, fresh), bedPath, "value", 1)
		wantRefused(t, at(l.v, fresh), bedPath, vault.ErrDeadToken)
		if n := tokenRows(t, l.bed); n == 0 {
			t.Errorf("%s: the use of a new token left no row", name)
		}
		records := logOf(t, v, audit.Filter{})
		if got, want := records[len(records)-1].Time, l.clock.Now(); !got.Equal(want) {
			t.Errorf("%s: records go on at %v, want %v", name, got, want)
		}
		verifies(t, v)
	}
	live, err := l.op.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range live {
		if id := s.Link.ID; id == l.whileID && !s.Revoked {
			t.Error("a token from before is listed as alive")
		}
	}
}

func opened(v *vault.Vault, _ *tap) *vault.Vault { return v }

// TestResetClockOnlyBack: nothing is reset while the clock is not over 2 minutes behind, or shows no time that can be.
func TestResetClockOnlyBack(t *testing.T) {
	for _, c := range []struct {
		name string
		move time.Duration
		want error
	}{
		{"right", 0, vault.ErrConflict},
		{"a little behind", -2 * time.Minute, vault.ErrConflict},
		{"ahead", time.Minute, vault.ErrConflict},
		{"behind", -2*time.Minute - time.Second, nil},
		{"before 1970", -100 * 365 * 24 * time.Hour, vault.ErrClock},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, clock := newBed(t), newSteppedClock()
			v, _ := b.open(clock.use)
			mustPut(t, v.Operator("keeper"), bedPath, "value")
			s := mustIssue(t, v.Operator("keeper"), reader(0))
			clock.add(c.move)
			if err := v.Operator("keeper").ResetClock(t.Context(), "test"); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if alive := getErr(s) == nil; alive == (c.want == nil) && c.want != vault.ErrClock {
				t.Errorf("the token is alive: %v", alive)
			}
		})
	}
}

func getErr(s getter) error {
	_, _, err := getPath(s, bedPath)
	return err
}

// TestResetClockFails: what could not be committed has changed nothing.
func TestResetClockFails(t *testing.T) {
	l := newLeap(t)
	v, p := l.open(l.clock.use)
	p.Store = fullStore{l.store}
	if err := v.Operator("keeper").ResetClock(t.Context(), "test"); !errors.Is(err, vault.ErrNotRecorded) {
		t.Errorf("on a full store: %v", err)
	}
	p.Store = l.store
	wantRefused(t, v.Operator("keeper"), bedPath, vault.ErrClock)
	if err := v.Operator("keeper").ResetClock(t.Context(), "test"); err != nil {
		t.Error(err)
	}
	wantValue(t, v.Operator("keeper"), bedPath, "value", 1)
	wantRefused(t, at(v, l.while), bedPath, vault.ErrDeadToken)
	verifies(t, l.v)
}
