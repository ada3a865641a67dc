// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

func rotate(t testing.TB, op *vault.Operator, compromised bool) {
	t.Helper()
	must(t, op.RotateKeys(context.Background(), vault.Rotation{Reason: "yearly", Compromised: compromised}))
}

// manyPaths are more versions than one commit re-wraps.
func manyPaths(n int) (paths []string) {
	for i := range n {
		paths = append(paths, fmt.Sprintf("production/many/%d", i))
	}
	return paths
}

func putAll(t testing.TB, op *vault.Operator, paths []string) {
	t.Helper()
	for _, p := range paths {
		mustPut(t, op, p, "value of "+p)
	}
}

func wantAll(t testing.TB, op *vault.Operator, paths []string) {
	t.Helper()
	for _, p := range paths {
		wantValue(t, op, p, "value of "+p, 1)
	}
}

func wantRotated(t testing.TB, v *vault.Vault) {
	t.Helper()
	if s := vault.ShowKeys(v); len(s.Wraps) != 1 || vault.Unwrapped(v) != 0 {
		t.Errorf("not rotated: %d wrapping keys, %d data keys of a former one", len(s.Wraps), vault.Unwrapped(v))
	}
}

func TestRotateKeys(t *testing.T) {
	bed := newBed(t)
	v, p := bed.open()
	op := v.Operator("keeper")
	paths := manyPaths(600)
	putAll(t, op, paths)
	must(t, op.Delete(context.Background(), vault.Request{Path: paths[0]}))
	s := mustIssue(t, op, reader(0))
	before, key := vault.ShowKeys(v), v.Log().Key()
	var told [][2]int
	must(t, op.RotateKeys(context.Background(), vault.Rotation{Reason: "yearly", Progress: func(done, total int) { told = append(told, [2]int{done, total}) }}))
	if want := [][2]int{{256, 599}, {512, 599}, {599, 599}}; !reflect.DeepEqual(told, want) {
		t.Errorf("Progress was told %v, want %v", told, want)
	}
	after := vault.ShowKeys(v)
	if after.Generation != before.Generation+2 || after.Wraps[0] == before.Wraps[0] || after.Tokens[0] == before.Tokens[0] || len(after.Tokens) != 2 || v.Log().Key() != key {
		t.Errorf("keys before %+v, after %+v", before, after)
	}
	wantRotated(t, v)
	for _, v := range []*vault.Vault{v, func() *vault.Vault { v, _ := bed.open(); return v }()} {
		wantAll(t, v.Operator("keeper"), paths[1:])
		wantRefused(t, v.Operator("keeper"), paths[0], vault.ErrNotFound)
		wantValue(t, at(v, s), paths[1], "value of "+paths[1], 1) // a token of a former key
		wantValue(t, at(v, mustIssue(t, op, reader(0))), paths[1], "value of "+paths[1], 1)
		verifies(t, v)
	}
	var steps []string
	for _, r := range logOf(t, v, audit.Filter{Op: "rotate"}) {
		if r.Outcome != audit.Granted || r.Reason != "yearly" || r.Operator != "keeper" {
			t.Errorf("record %s", r)
		}
		steps = append(steps, r.Detail)
	}
	want := []string{
		`{"step":"begin","generation":2}`, `{"step":"wrap","generation":2,"done":256,"total":599}`, `{"step":"wrap","generation":2,"done":512,"total":599}`,
		`{"step":"wrap","generation":2,"done":599,"total":599}`, `{"step":"end","generation":3}`,
	}
	if !reflect.DeepEqual(steps, want) {
		t.Errorf("steps %q", steps)
	}
	// No data key that the former key wrapped is in a row.
	old := before.Wraps[0]
	for _, r := range dumpOf(t, p.Store).rows {
		if strings.HasPrefix(r.Key, "v:") && strings.Contains(string(r.Data), wrapPrefix(old)) {
			t.Errorf("%s is wrapped with the former key", r.Key)
		}
	}
}

// wrapPrefix is how a data key begins that a key has wrapped, in the text of its row: 1 and three bytes of the id.
func wrapPrefix(id uint32) string {
	b := []byte{1, byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id), 0}
	return fmt.Sprintf(`"key":"%s`, b64(b[:6])[:6])
}

// TestRotateFailsAnywhere: whichever Update of a rotation fails, before or after it has written, all can be read by this process
// and the next, and the next rotation ends what was begun.
func TestRotateFailsAnywhere(t *testing.T) {
	faults := map[string]func(next func() error) error{
		"nothing written": func(func() error) error { return fmt.Errorf("write: %w", syscall.ENOSPC) },
		"all written":     func(next func() error) error { return errors.Join(next(), errDevice) },
		"lost":            func(func() error) error { return errDevice },
	}
	for name, fault := range faults {
		for _, compromised := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", compromised ", compromised), func(t *testing.T) {
				failed := 0
				for k := 1; ; k++ {
					bed := newBed(t)
					v, p := bed.open()
					op := v.Operator("keeper")
					paths := manyPaths(300)
					putAll(t, op, paths)
					s := mustIssue(t, op, reader(0))
					n := 0
					p.atUpdate(func(next func() error) error {
						if n++; n == k {
							return fault(next)
						}
						return next()
					})
					err := op.RotateKeys(context.Background(), vault.Rotation{Compromised: compromised})
					p.atUpdate(nil)
					if n < k {
						must(t, err)
						break
					}
					failed++
					if !errors.Is(err, vault.ErrNotRecorded) {
						t.Fatalf("Update %d failed, RotateKeys gave %v", k, err)
					}
					wantAll(t, op, paths[:3])
					again, _ := bed.open()
					wantAll(t, again.Operator("keeper"), paths)
					rotate(t, again.Operator("keeper"), false)
					wantRotated(t, again)
					wantAll(t, again.Operator("keeper"), paths)
					wantAll(t, op, paths)
					dead := compromised && !(k == 1 && name != "all written")
					for _, v := range []*vault.Vault{v, again} {
						if dead {
							wantRefused(t, at(v, s), paths[0], vault.ErrDeadToken)
						} else {
							wantValue(t, at(v, s), paths[0], "value of "+paths[0], 1)
						}
					}
					verifies(t, again)
				}
				if failed < 4 {
					t.Errorf("only %d Updates failed", failed)
				}
			})
		}
	}
}

// TestRotateResumes: what a cancelled rotation has re-wrapped is not re-wrapped again.
func TestRotateResumes(t *testing.T) {
	v, _ := newBed(t).open()
	op := v.Operator("keeper")
	paths := manyPaths(600)
	putAll(t, op, paths)
	ctx, cancel := context.WithCancel(context.Background())
	err := op.RotateKeys(ctx, vault.Rotation{Progress: func(int, int) { cancel() }})
	if !errors.Is(err, context.Canceled) || vault.Unwrapped(v) != 344 {
		t.Errorf("cancelled: %v, %d left", err, vault.Unwrapped(v))
	}
	err = op.RotateKeys(context.Background(), vault.Rotation{Progress: func(int, int) { panic("bar") }})
	if err == nil || !strings.Contains(err.Error(), "panic of type string") || vault.Unwrapped(v) != 88 {
		t.Errorf("panic: %v, %d left", err, vault.Unwrapped(v))
	}
	before := vault.ShowKeys(v)
	rotate(t, op, false)
	wantRotated(t, v)
	if after := vault.ShowKeys(v); after.Wraps[0] != before.Wraps[0] || after.Tokens[0] != before.Tokens[0] || after.Generation != before.Generation+1 {
		t.Errorf("the end of a rotation made keys: %+v, then %+v", before, after)
	}
	wantAll(t, op, paths)
	wantLast(t, v, audit.Filter{Op: "rotate"}, audit.Granted, "")
}

// TestRotateUnderLoad: 64 callers read, put, delete and issue while the keys are rotated again and again. None of them notices.
func TestRotateUnderLoad(t *testing.T) {
	bed := newBed(t)
	v, _ := bed.open()
	other, _ := bed.open()
	op := v.Operator("keeper")
	paths := manyPaths(300)
	putAll(t, op, paths)
	s := mustIssue(t, op, vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:*:*")})
	verifies(t, other) // so that it knows the paths: more than 20 refusals a second are not held against the head
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var wg sync.WaitGroup
	var calls atomic.Int64
	for i := range 64 {
		wg.Go(func() {
			s, op := at([]*vault.Vault{v, other}[i%2], s), []*vault.Vault{v, other}[i/2%2].Operator("worker")
			for n := 0; ctx.Err() == nil; n++ {
				calls.Add(1)
				path := paths[(i*31+n)%len(paths)]
				own := fmt.Sprintf("production/own/%d", i)
				value, _, err := getPath(s, path)
				if err != nil || value != "value of "+path {
					t.Errorf("Get during a rotation: %q, %v", value, err)
					return
				}
				switch n % 4 {
				case 0:
					if _, err := s.Put(context.Background(), vault.Item{Path: own, Value: vault.NewSecret("own")}); err != nil {
						t.Errorf("Put during a rotation: %v", err)
						return
					}
				case 1:
					child, err := op.Issue(context.Background(), reader(1))
					if err != nil {
						t.Errorf("Issue during a rotation: %v", err)
						return
					}
					wantValue(t, child, path, "value of "+path, 1)
				case 2:
					if value, _, err := getPath(s, own); err != nil || value != "own" {
						t.Errorf("Get of what was put: %q, %v", value, err)
					}
				case 3:
					if err := op.Delete(context.Background(), vault.Request{Path: own}); err != nil {
						t.Errorf("Delete during a rotation: %v", err)
					}
				}
			}
		})
	}
	for range 4 {
		rotate(t, op, false)
		rotate(t, other.Operator("other"), false)
	}
	must(t, op.SetRoot(ctx, bed.root, "the same one"))
	stop()
	wg.Wait()
	wantRotated(t, v)
	fresh, _ := bed.open()
	wantRotated(t, fresh)
	wantAll(t, fresh.Operator("keeper"), paths)
	verifies(t, fresh)
	if s := vault.ShowKeys(fresh); len(s.Tokens) != 9 || s.Generation != 1+8*2+1 {
		t.Errorf("%+v after 8 rotations and a new root", s)
	}
	t.Logf("%d calls", calls.Load())
}

// TestRotateTwice: rotations at the same time end with one key, and at least one of them says so.
func TestRotateTwice(t *testing.T) {
	bed := newBed(t)
	first, _ := bed.open()
	paths := manyPaths(300)
	putAll(t, first.Operator("keeper"), paths)
	var wg sync.WaitGroup
	for i := range 4 {
		v, _ := bed.open()
		wg.Go(func() {
			err := v.Operator("other").RotateKeys(context.Background(), vault.Rotation{Compromised: i%2 == 0})
			if err != nil && !errors.Is(err, vault.ErrConflict) {
				t.Errorf("rotation %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	rotate(t, first.Operator("keeper"), false)
	wantRotated(t, first)
	wantAll(t, first.Operator("keeper"), paths)
	verifies(t, first)
}

// TestRotateFormerTokens: a token of a former key lives as long as it would have, and no key is kept for longer than that.
func TestRotateFormerTokens(t *testing.T) {
	p := newPair(t, reader(0))
	day := 24 * time.Hour
	rotate(t, p.op, false)
	wantValue(t, p.s, bedPath, "one", 1)
	narrow, err := p.s.Token().Narrow(vault.Grant{Agent: "researcher/x"}) // offline, after the rotation
	must(t, err)
	wantValue(t, p.a.Session(narrow, netip.Addr{}), bedPath, "one", 1)
	p.clock.Add(int64(time.Hour + time.Minute))
	wantRefused(t, p.s, bedPath, vault.ErrDeadToken)
	p.clock.Add(int64(30 * day))
	if s := vault.ShowKeys(p.b); len(s.Tokens) != 2 {
		t.Errorf("%d token keys before the next keyring", len(s.Tokens))
	}
	must(t, p.op.SetRoot(context.Background(), seededRoot(t, 1), ""))
	if s := vault.ShowKeys(p.b); len(s.Tokens) != 1 || len(s.Retired) != 0 {
		t.Errorf("%d token keys when no token of the former can live", len(s.Tokens))
	}
}

// TestFormerTokenKey: who has a former token key cannot sign a life that is longer than that of the tokens which it signed.
func TestFormerTokenKey(t *testing.T) {
	retired := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	i := vault.FormerIssuer(attackVectorID, attackVectorKeyID, attackVectorKey, retired.Unix())
	for late, want := range map[time.Duration]bool{-time.Hour: true, 0: true, time.Second: false, 24 * time.Hour: false} {
		issued := retired.Add(late)
		c := vault.Claims{{ID: strings.Repeat("0a", 16), Issued: issued, Expires: issued.Add(time.Hour), Grant: vault.Grant{Agent: "r", Scopes: scope.MustParse("secrets:read:*")}}}
		tok, err := i.Issue(t.Context(), c)
		must(t, err)
		if _, err := i.Verify(t.Context(), tok); (err == nil) != want {
			t.Errorf("issued %s after its key was retired: %v", late, err)
		}
	}
}

// TestRotateCompromised: every token is dead at once, in every process, also for sessions that have proved theirs; keys of
// other processes are not tokens.
func TestRotateCompromised(t *testing.T) {
	ctx := context.Background()
	p := newPair(t, reader(0))
	_, cred, err := p.op.NewKey(ctx, vault.Key{Name: "worker", Expires: time.Now().Add(time.Hour), Limits: vault.Grant{Scopes: scope.MustParse("secrets:read:*")}}, "")
	must(t, err)
	own := mustIssue(t, p.a.Operator("first"), reader(0))
	wantValue(t, p.s, bedPath, "one", 1)
	wantValue(t, own, bedPath, "one", 1)
	// The rotation of b is done when a has decided and opened, and asks for the commit.
	p.tap.onceBefore(func() { rotate(t, p.op, true) })
	wantRefused(t, own, bedPath, vault.ErrDeadToken)
	for name, s := range map[string]*vault.Session{"issued here": own, "issued there": p.s, "fresh": at(p.a, own), "in b": at(p.b, own)} {
		if value, _, err := getPath(s, bedPath); !errors.Is(err, vault.ErrDeadToken) || value != "" {
			t.Errorf("%s: %q, %v", name, value, err)
		}
	}
	wantLast(t, p.a, audit.Filter{Op: "get"}, audit.Denied, "bad_token")
	if states, err := p.a.Operator("first").Tokens(ctx); err != nil || len(states) != 0 {
		t.Errorf("Tokens lists %d dead ones, %v", len(states), err)
	}
	child := mustIssue(t, p.a.Session(cred, netip.Addr{}), vault.Grant{Agent: "worker", Scopes: scope.MustParse("secrets:read:*")})
	wantValue(t, child, bedPath, "one", 1)
	wantValue(t, at(p.b, child), bedPath, "one", 1)
	if states, err := p.a.Operator("first").Tokens(ctx); err != nil || len(states) != 1 {
		t.Errorf("Tokens lists %d, want the new one: %v", len(states), err)
	}
	if a, b := vault.ShowKeys(p.a), vault.ShowKeys(p.b); !reflect.DeepEqual(a, b) || len(a.Tokens) != 1 || len(a.Wraps) != 1 {
		t.Errorf("keys of a %+v, of b %+v", a, b)
	}
}

// TestRotateRemote: a remote operator rotates; once revoked it cannot go on.
func TestRotateRemote(t *testing.T) {
	ctx := context.Background()
	v, _ := newBed(t).open()
	op := v.Operator("keeper")
	putAll(t, op, manyPaths(300))
	_, cred, err := op.NewKey(ctx, vault.Key{Name: "remote", Operator: true, Expires: time.Now().Add(time.Hour)}, "")
	must(t, err)
	keys, err := op.Keys(ctx)
	must(t, err)
	remote := v.Remote(cred, netip.Addr{})
	err = remote.RotateKeys(ctx, vault.Rotation{Progress: func(int, int) { must(t, op.Revoke(ctx, keys[0].ID, "")) }})
	if !errors.Is(err, vault.ErrDeadToken) || vault.Unwrapped(v) == 0 {
		t.Errorf("a revoked operator went on: %v", err)
	}
	rotate(t, op, false)
	wantRotated(t, v)
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// TestRotateOvertaken: a rotation that another one overtakes before its last commit drops no key that still wraps.
func TestRotateOvertaken(t *testing.T) {
	ctx := context.Background()
	bed := newBed(t)
	a, pa := bed.open()
	b, pb := bed.open()
	op := a.Operator("keeper")
	paths := manyPaths(10)
	putAll(t, op, paths)
	n := 0
	pa.atUpdate(func(next func() error) error { // begin, wrap, end
		if n++; n == 3 {
			verifies(t, b) // it has followed, so its first Update brings keys
			m := 0
			pb.atUpdate(func(next func() error) error {
				if m++; m == 2 {
					return syscall.ENOSPC
				}
				return next()
			})
			if err := b.Operator("other").RotateKeys(ctx, vault.Rotation{Compromised: true}); err == nil {
				t.Error("the other rotation was not interrupted")
			}
			pb.atUpdate(nil)
		}
		return next()
	})
	if err := op.RotateKeys(ctx, vault.Rotation{}); !errors.Is(err, vault.ErrConflict) {
		t.Errorf("the rotation that was overtaken: %v", err)
	}
	for _, v := range []*vault.Vault{a, b} {
		wantAll(t, v.Operator("keeper"), paths)
	}
	rotate(t, op, false)
	wantRotated(t, a)
	wantAll(t, b.Operator("keeper"), paths)
}
