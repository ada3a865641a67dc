// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// fickleRoot is a root whose answers a test spoils.
type fickleRoot struct {
	vault.RootKey
	mu    sync.Mutex
	fail  error
	hang  chan struct{} // until it is closed
	asked atomic.Int64
}

func (r *fickleRoot) set(fail error, hang chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail, r.hang = fail, hang
}

// spoil does not heed its context: a user's own root may not.
func (r *fickleRoot) spoil() error {
	r.asked.Add(1)
	r.mu.Lock()
	fail, hang := r.fail, r.hang
	r.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return fail
}

func (r *fickleRoot) EncryptWithContext(ctx context.Context, plaintext, data []byte) ([]byte, error) {
	if err := r.spoil(); err != nil {
		return nil, err
	}
	return r.RootKey.EncryptWithContext(context.WithoutCancel(ctx), plaintext, data)
}

func (r *fickleRoot) DecryptWithContext(ctx context.Context, c, data []byte) ([]byte, error) {
	if err := r.spoil(); err != nil {
		return nil, err
	}
	return r.RootKey.DecryptWithContext(context.WithoutCancel(ctx), c, data)
}

func withRoot(r vault.RootKey) func(*vault.Config) { return func(c *vault.Config) { c.Root = r } }

// TestFollowSQLite: two handles on one file. The second follows each rotation, and one that is marked compromised kills its
// tokens before it grants anything more.
func TestFollowSQLite(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "vault.db")
	root := &fickleRoot{RootKey: attackRoot(1)}
	handle := func() *vault.Vault {
		store, err := sqlite.Open(ctx, path)
		must(t, err)
		v, err := vault.Open(ctx, vault.Config{Store: store, Root: root})
		must(t, err)
		t.Cleanup(func() { must(t, v.Close()) })
		return v
	}
	a, b := handle(), handle()
	op := a.Operator("keeper")
	paths := manyPaths(300)
	putAll(t, op, paths)
	s := at(b, mustIssue(t, op, reader(0)))
	wantValue(t, s, paths[0], "value of "+paths[0], 1)
	rotate(t, op, false)
	before := root.asked.Load()
	wantValue(t, s, paths[1], "value of "+paths[1], 1)
	if n := root.asked.Load() - before; n != 1 {
		t.Errorf("the follower asked the root %d times, want once", n)
	}
	mustPut(t, b.Operator("other"), "production/new", "new")
	wantValue(t, op, "production/new", "new", 1)
	rotate(t, b.Operator("other"), true)
	size := len(logOf(t, b, audit.Filter{Op: "get", Outcome: audit.Granted}))
	wantRefused(t, at(a, s), paths[2], vault.ErrDeadToken)
	wantRefused(t, s, paths[2], vault.ErrDeadToken)
	if n := len(logOf(t, b, audit.Filter{Op: "get", Outcome: audit.Granted})); n != size {
		t.Errorf("%d grants behind the rotation", n-size)
	}
	wantValue(t, at(b, mustIssue(t, op, reader(0))), "production/new", "new", 1)
	wantAll(t, op, paths)
	wantRotated(t, a)
	wantRotated(t, b)
	verifies(t, a)
}

// TestFollowRootDown: a process that meets newer keys while its root is down grants nothing and records nothing, answers
// within its deadline, asks the root once a second, and recovers.
func TestFollowRootDown(t *testing.T) {
	down := errors.Join(vault.ErrKMSUnavailable, errors.New("no route"))
	hang := make(chan struct{})
	for name, spoil := range map[string]func(*fickleRoot){
		"down":  func(r *fickleRoot) { r.set(down, nil) },
		"hangs": func(r *fickleRoot) { r.set(nil, hang) },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "hangs" {
				hang = make(chan struct{})
			}
			synctest.Test(t, func(t *testing.T) {
				bed := &bed{t, memory.New(), attackRoot(1)}
				a, _ := bed.open()
				root := &fickleRoot{RootKey: attackRoot(1)}
				b, _ := bed.open(withRoot(root))
				op := a.Operator("keeper")
				mustPut(t, op, bedPath, "one")
				s := at(b, mustIssue(t, op, reader(0)))
				wantValue(t, s, bedPath, "one", 1)
				rotate(t, op, false)
				size := len(dumpOf(t, bed.store).lines)
				hang = make(chan struct{})
				spoil(root)
				asked := root.asked.Load()
				start := time.Now()
				for range 100 {
					value, _, err := getPath(s, bedPath)
					if value != "" || !errors.Is(err, vault.ErrNotRecorded) || !errors.Is(err, vault.ErrKMSUnavailable) {
						t.Fatalf("Get gave %q, %v", value, err)
					}
				}
				if d := time.Since(start); d > 10*time.Second {
					t.Errorf("the answers took %s", d)
				}
				if n := root.asked.Load() - asked; n > 2 {
					t.Errorf("the root was asked %d times", n)
				}
				time.Sleep(2 * time.Second) // the root may be asked again
				ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
				defer cancel()
				start = time.Now()
				_, err := s.Get(ctx, vault.Request{Path: bedPath})
				if err == nil || time.Since(start) > 3*time.Second {
					t.Errorf("with a deadline: %v after %s", err, time.Since(start))
				}
				if n := len(dumpOf(t, bed.store).lines); n != size {
					t.Errorf("%d records without keys", n-size)
				}
				close(hang)
				root.set(nil, nil)
				time.Sleep(20 * time.Second)
				wantValue(t, s, bedPath, "one", 1)
				wantValue(t, at(a, s), bedPath, "one", 1)
				verifies(t, b)
				must(t, b.Close())
				must(t, a.Close())
			})
		})
	}
}

// TestFollowTampered: a newer head whose keyring does not belong to it is found, and nothing more is granted.
func TestFollowTampered(t *testing.T) {
	foreign, _ := (&bed{t, memory.New(), attackRoot(1)}).open()
	rotate(t, foreign.Operator("other"), false)
	for name, change := range map[string]func(old, new vault.Row) vault.Row{
		"none":           func(_, new vault.Row) vault.Row { return vault.Row{Key: "f:user:x", Seq: new.Seq} },
		"the one before": func(old, new vault.Row) vault.Row { old.Seq = new.Seq; return old },
		"not a keyring":  func(_, new vault.Row) vault.Row { new.Data = []byte(`{}`); return new },
		"a changed byte": func(_, new vault.Row) vault.Row { new.Data[20] ^= 1; return new },
		"another vault's": func(_, new vault.Row) vault.Row {
			new.Data = dumpOf(t, vault.StoreOf(foreign)).row("keyring").Data
			return new
		},
		"as it was": func(_, new vault.Row) vault.Row { return new },
	} {
		t.Run(name, func(t *testing.T) {
			bed := &bed{t, memory.New(), attackRoot(1)}
			a, _ := bed.open()
			b, tap := bed.open()
			op := a.Operator("keeper")
			mustPut(t, op, bedPath, "one")
			s := at(b, mustIssue(t, op, reader(0)))
			wantValue(t, s, bedPath, "one", 1)
			old := dumpOf(t, bed.store).row("keyring")
			rotate(t, op, false)
			tap.Store = &bentChanges{tap.Store, func(r vault.Row) vault.Row {
				if r.Key == "keyring" {
					return change(old, r)
				}
				return r
			}}
			if name == "as it was" {
				wantValue(t, s, bedPath, "one", 1)
				return
			}
			value, _, err := getPath(s, bedPath)
			if value != "" || !errors.Is(err, vault.ErrTampered) && !errors.Is(err, vault.ErrWrongKey) {
				t.Errorf("Get gave %q, %v", value, err)
			}
			wantRefused(t, s, bedPath, vault.ErrNotRecorded)
		})
	}
}

// bentChanges changes what a store passes to an Update.
type bentChanges struct {
	vault.Store
	change func(vault.Row) vault.Row
}

func (s *bentChanges) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	return s.Store.Update(ctx, since, func(changed []vault.Row) (vault.Batch, error) {
		var bent []vault.Row
		for _, r := range changed {
			if r = s.change(r); r.Data != nil {
				bent = append(bent, r)
			}
		}
		return fn(bent)
	})
}

// TestOpenDuringRotation: a vault that is opened while another process rotates its keys opens with the newest.
func TestOpenDuringRotation(t *testing.T) {
	for _, from := range []string{"head", "keyring", ""} {
		t.Run("before the rows from "+from, func(t *testing.T) {
			bed := newBed(t)
			a, _ := bed.open()
			paths := manyPaths(300)
			putAll(t, a.Operator("keeper"), paths)
			left := 1
			reads := 0
			v, _ := bed.open(func(c *vault.Config) {
				c.Store.(*tap).atRows(func(at string) error {
					if reads++; at == from && reads > 1 && left > 0 {
						left--
						rotate(t, a.Operator("keeper"), false)
					}
					return nil
				})
			})
			if left > 0 {
				t.Fatal("nothing was rotated")
			}
			wantAll(t, v.Operator("keeper"), paths)
			if got, want := vault.ShowKeys(v).Generation, vault.ShowKeys(a).Generation; got != want || want != 3 {
				t.Errorf("generation %d, want %d", got, want)
			}
			verifies(t, v)
		})
	}
}

// TestRotateRootFails: whatever the root does while it is asked for a new keyring, its caller gets an answer in time, nothing
// is changed, and the vault goes on.
func TestRotateRootFails(t *testing.T) {
	for name, c := range map[string]struct {
		fail error
		want error
	}{"down": {vault.ErrKMSUnavailable, vault.ErrKMSUnavailable}, "another key": {vault.ErrWrongKey, vault.ErrWrongKey}, "no key": {vault.ErrNoKey, vault.ErrNoKey}, "hangs": {nil, vault.ErrKMSUnavailable}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				root := &fickleRoot{RootKey: attackRoot(1)}
				bed := &bed{t, memory.New(), root}
				v, _ := bed.open()
				op := v.Operator("keeper")
				mustPut(t, op, bedPath, "one")
				s := mustIssue(t, op, reader(0))
				before := dumpOf(t, bed.store)
				hang := make(chan struct{})
				if c.fail == nil {
					root.set(nil, hang)
				} else {
					root.set(c.fail, nil)
				}
				for what, f := range map[string]func(context.Context) error{
					"RotateKeys": func(ctx context.Context) error { return op.RotateKeys(ctx, vault.Rotation{}) },
					"SetRoot":    func(ctx context.Context) error { return op.SetRoot(ctx, attackRoot(2), "") },
				} {
					start := time.Now()
					done := make(chan error, 1)
					go func() { done <- f(context.Background()) }()
					synctest.Wait()
					wantValue(t, s, bedPath, "one", 1) // while the root hangs
					if err := <-done; !errors.Is(err, c.want) || time.Since(start) > 30*time.Second {
						t.Errorf("%s: %v after %s", what, err, time.Since(start))
					}
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					start = time.Now()
					if err := f(ctx); err == nil || time.Since(start) > time.Second {
						t.Errorf("%s with a deadline: %v after %s", what, err, time.Since(start))
					}
					cancel()
				}
				after := dumpOf(t, bed.store)
				for _, r := range before.rows {
					if i := after.index(r.Key); r.Key != "head" && (i < 0 || !sameRow(after.rows[i], r)) {
						t.Errorf("row %s has changed", r.Key)
					}
				}
				close(hang)
				root.set(nil, nil)
				wantValue(t, s, bedPath, "one", 1)
				rotate(t, op, false)
				wantRotated(t, v)
				for _, r := range logOf(t, v, audit.Filter{Op: "rotate", Outcome: audit.Failed}) {
					if r.Cause == "error" || r.Cause == "" || strings.Contains(r.Detail, "begin") {
						t.Errorf("failed as %s", r)
					}
				}
				must(t, v.Close())
			})
		})
	}
}
