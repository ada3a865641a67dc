// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

func backupOf(t testing.TB, v *vault.Vault) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, v.Operator("keeper").Backup(context.Background(), &b, "nightly"))
	return b.Bytes()
}

// restored is the vault of a backup, in a store of its own.
func restored(t testing.TB, root vault.RootKey, backup []byte) *vault.Vault {
	t.Helper()
	v, err := restoreInto(memory.New(), root, backup)
	must(t, err)
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func restoreInto(s vault.Store, root vault.RootKey, backup []byte) (*vault.Vault, error) {
	return vault.Restore(context.Background(), vault.Config{Store: s, Root: root}, bytes.NewReader(backup), "the disk is gone")
}

// TestBackupAndRestore: a vault with something of every kind goes from one store into another and is what it was, but that
// every credential is dead.
func TestBackupAndRestore(t *testing.T) {
	ctx := context.Background()
	stores := map[string]func(t *testing.T) vault.Store{
		"memory": func(*testing.T) vault.Store { return memory.New() },
		"sqlite": func(t *testing.T) vault.Store {
			s, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "agents.db"))
			must(t, err)
			return s
		},
	}
	for _, way := range [][2]string{{"memory", "memory"}, {"memory", "sqlite"}, {"sqlite", "memory"}, {"sqlite", "sqlite"}} {
		t.Run(way[0]+" to "+way[1], func(t *testing.T) {
			root := seededRoot(t, 1)
			v, err := vault.Open(ctx, vault.Config{Store: stores[way[0]](t), Root: root})
			must(t, err)
			defer v.Close()
			life := newLife(t, v)
			before, err := v.Log().Checkpoint(ctx)
			must(t, err)
			text := backupOf(t, v)
			store := unclosed{stores[way[1]](t)}
			w, err := restoreInto(store, root, text)
			must(t, err)
			life.check(t, w, before)
			must(t, w.Close())
			if w, err = vault.Open(ctx, vault.Config{Store: store, Root: root}); err != nil {
				t.Fatal(err)
			}
			life.check(t, w, before)
			fresh := mustIssue(t, w.Operator("keeper"), reader(0))
			wantValue(t, fresh, bedPath, "two", 2)
			wantRefused(t, at(v, fresh), bedPath, vault.ErrDeadToken)
			must(t, errors.Join(w.Close(), store.Store.Close()))
			wantValue(t, life.alive, bedPath, "two", 2) // the original goes on
			verifies(t, v)
		})
	}
}

// life is what a vault has gone through.
type life struct {
	key                              string
	alive                            *vault.Session
	dead                             map[string]vault.Token
	agentKey, opKey, revokedOperator vault.Token
}

func newLife(t testing.TB, v *vault.Vault) *life {
	t.Helper()
	ctx := context.Background()
	op := v.Operator("keeper")
	l := &life{key: v.Log().Key(), dead: map[string]vault.Token{}}
	mustPut(t, op, bedPath, "one")
	mustPut(t, op, bedPath, "two")
	mustPut(t, op, "production/gone/key", "gone")
	must(t, op.Delete(ctx, vault.Request{Path: "production/gone/key"}))
	mustPut(t, op, "production/large/key", strings.Repeat("0123456789abcdef", 1<<16)) // 1 MiB, the most there is
	mustPut(t, op, "production/empty/key", "")
	must(t, op.SetPolicy(ctx, "production/hosts/key", vault.Policy{Type: "api_key", Hosts: []string{"api.example.com"}, Tier: vault.Critical}, "r"))
	must(t, op.Freeze(ctx, vault.Frozen{Kind: "user", Value: "u812"}, "investigation"))
	must(t, op.Freeze(ctx, vault.Frozen{Kind: "user", Value: "thawed"}, ""))
	must(t, op.Thaw(ctx, vault.Frozen{Kind: "user", Value: "thawed"}, ""))
	revoked, used, narrow := mustIssue(t, op, reader(0)), mustIssue(t, op, reader(1)), mustIssue(t, op, reader(0))
	must(t, op.Revoke(ctx, linkOf(t, revoked), "stolen"))
	wantValue(t, used, bedPath, "two", 2)
	below, err := narrow.Token().Narrow(vault.Grant{MaxUses: 5})
	must(t, err)
	l.alive = mustIssue(t, op, reader(0))
	l.dead["issued before"], l.dead["revoked"], l.dead["used up"], l.dead["narrowed"] = l.alive.Token(), revoked.Token(), used.Token(), below
	newKey := func(operator bool) vault.Token {
		k := vault.Key{Name: "k", Operator: operator, Expires: inAnHour().Add(time.Hour)}
		if !operator {
			k.Limits.Scopes = scope.MustParse("secrets:read:*")
		}
		_, cred, err := op.NewKey(ctx, k, "")
		must(t, err)
		return cred
	}
	l.agentKey, l.opKey, l.revokedOperator = newKey(false), newKey(true), newKey(true)
	l.dead["of an agent key"] = mustIssue(t, v.Session(l.agentKey, noAddr), reader(0)).Token()
	keys, err := op.Keys(ctx)
	must(t, err)
	must(t, op.Revoke(ctx, keys[len(keys)-1].ID, ""))
	return l
}

// check holds a restored vault against it.
func (l *life) check(t testing.TB, v *vault.Vault, before []byte) {
	t.Helper()
	ctx := context.Background()
	op := v.Operator("keeper")
	if v.Log().Key() != l.key {
		t.Error("the log has another key")
	}
	for name, tok := range l.dead {
		if value, _, err := getPath(v.Session(tok, noAddr), bedPath); !errors.Is(err, vault.ErrDeadToken) || value != "" {
			t.Errorf("a token that was %s: Get gave %q, %v", name, value, err)
		}
	}
	if _, err := v.Session(l.agentKey, noAddr).Issue(ctx, reader(0)); !errors.Is(err, vault.ErrDeadToken) {
		t.Errorf("the agent key: %v", err)
	}
	for _, cred := range []vault.Token{l.opKey, l.revokedOperator} {
		wantRefused(t, v.Remote(cred, noAddr), bedPath, vault.ErrDeadToken)
	}
	wantValue(t, op, bedPath, "two", 2)
	if it, err := op.Get(ctx, vault.Request{Path: bedPath, Version: 1}); err != nil || it.Value.Reveal() != "one" {
		t.Errorf("the version before: %v", err)
	}
	if it, err := op.Get(ctx, vault.Request{Path: "production/large/key"}); err != nil || len(it.Value.Reveal()) != 1<<20 {
		t.Errorf("the largest value: %v", err)
	}
	if it, err := op.Get(ctx, vault.Request{Path: "production/empty/key"}); err != nil || it.Value.Reveal() != "" {
		t.Errorf("the empty value: %v", err)
	}
	wantRefused(t, op, "production/gone/key", vault.ErrNotFound)
	frozen := reader(0)
	frozen.User = "u812"
	if _, err := op.Issue(ctx, frozen); err != nil {
		t.Errorf("an operator issues what is frozen: %v", err)
	}
	wantRefused(t, mustIssue(t, op, frozen), bedPath, vault.ErrDenied)
	frozen.User = "thawed"
	wantValue(t, mustIssue(t, op, frozen), bedPath, "two", 2)
	wantRefused(t, mustIssue(t, op, reader(0)), "production/hosts/key", vault.ErrNotFound)
	must(t, v.Log().Verify(ctx, before))
	records := logOf(t, v, audit.Filter{Op: "restore"})
	if len(records) != 1 || records[0].Reason != "the disk is gone" || !strings.HasPrefix(records[0].Detail, `{"restored":{"size":`) {
		t.Errorf("records of the restore: %v", records)
	}
	if len(logOf(t, v, audit.Filter{Op: "backup"})) != 1 {
		t.Error("the backup does not hold its own record")
	}
}

// TestBackupWhileBusy: copies made while 64 callers work are whole, each at one head.
func TestBackupWhileBusy(t *testing.T) {
	ctx := context.Background()
	b := newBed(t)
	v, _ := b.open()
	op := v.Operator("keeper")
	const callers, paths = 64, 16
	for i := range paths {
		mustPut(t, op, fmt.Sprintf("production/p%d/key", i), "0")
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	var done atomic.Int64
	more := make(chan struct{}) // 200 calls later
	for i := range callers {
		wg.Go(func() {
			path := fmt.Sprintf("production/p%d/key", i%paths)
			for n := 0; !stop.Load(); n++ {
				var err error
				switch (i + n) % 8 {
				case 0:
					_, err = op.Put(ctx, vault.Item{Path: path, Value: vault.NewSecret(fmt.Sprint(n))})
				case 1:
					err = op.Delete(ctx, vault.Request{Path: path})
				case 2:
					s := mustIssue(t, op, reader(1))
					if err = op.Revoke(ctx, linkOf(t, s), ""); err == nil {
						wantRefused(t, s, path, vault.ErrDeadToken)
					}
				default:
					_, err = mustIssue(t, op, reader(2)).Get(ctx, vault.Request{Path: path})
				}
				if err != nil && !errors.Is(err, vault.ErrNotFound) && !errors.Is(err, vault.ErrConflict) { // the path kept changing
					t.Error(err)
				}
				if done.Add(1)%200 == 0 {
					select {
					case more <- struct{}{}:
					default:
					}
				}
			}
		})
	}
	var texts [][]byte
	for range 5 {
		<-more
		texts = append(texts, backupOf(t, v))
	}
	stop.Store(true)
	wg.Wait()
	head, err := v.Log().Checkpoint(ctx)
	must(t, err)
	for _, text := range texts {
		w := restored(t, b.root, text)
		verifies(t, w)
		op := w.Operator("keeper")
		items, err := op.List(ctx, vault.Request{Path: "*"})
		must(t, err)
		for _, it := range items {
			versions, err := op.Versions(ctx, vault.Request{Path: it.Path})
			must(t, err)
			for _, version := range versions {
				_, err := op.Get(ctx, vault.Request{Path: it.Path, Version: version.Version})
				must(t, err)
			}
		}
		if err := w.Log().Verify(ctx, head); !errors.Is(err, vault.ErrTampered) {
			t.Errorf("the copy fits a later checkpoint of the original: %v", err)
		}
	}
}

// TestBackupDeleted: of a version that is deleted meanwhile, the backup has no key.
func TestBackupDeleted(t *testing.T) {
	ctx := context.Background()
	for name, when := range map[string]string{"while values are copied": "v:", "before its value is read": "x:" + bedPath + ":1", "before the head": ""} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			v, p := b.open()
			op := v.Operator("keeper")
			mustPut(t, op, bedPath, "one")
			mustPut(t, op, bedPath, "two")
			other, _ := b.open()
			key := versionKey(t, b.store, bedPath, 1)
			strike := func() { must(t, other.Operator("other").Delete(ctx, vault.Request{Path: bedPath, Version: 1})) }
			struck := false
			p.atRows(func(from string) error {
				if !struck && from == when {
					struck = true
					strike()
				}
				return nil
			})
			text := backupOf(t, v)
			if !struck {
				t.Fatal("nothing was deleted")
			}
			if bytes.Contains(text, key) {
				t.Error("the backup has the key of a version that was deleted")
			}
			store := memory.New()
			w, err := restoreInto(store, b.root, text)
			must(t, err)
			defer w.Close()
			if dumpOf(t, store).index("x:"+bedPath+":1") >= 0 {
				t.Error("the restored store has the sealed value of a version that was deleted")
			}
			if _, err := w.Operator("keeper").Get(ctx, vault.Request{Path: bedPath, Version: 1}); !errors.Is(err, vault.ErrNotFound) {
				t.Errorf("the deleted version: %v", err)
			}
			wantValue(t, w.Operator("keeper"), bedPath, "two", 2)
		})
	}
}

// versionKey is the wrapped data key of a version, as its row spells it.
func versionKey(t testing.TB, s vault.Store, path string, n int) []byte {
	t.Helper()
	_, rest, ok := bytes.Cut(dumpOf(t, s).row(fmt.Sprintf("v:%s:%d", path, n)).Data, []byte(`"key":"`))
	key, _, ok2 := bytes.Cut(rest, []byte(`"`))
	if !ok || !ok2 || len(key) < 40 {
		t.Fatal("the row has no key")
	}
	return key
}

type failingWriter struct {
	left int
	fail func() error
}

func (w *failingWriter) Write(b []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, w.fail()
	}
	return len(b), nil
}

// TestBackupFails: a writer that fails, is short or panics, and a context that ends, are an error, and the vault goes on.
func TestBackupFails(t *testing.T) {
	v, _ := newBed(t).open()
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "one")
	full := errors.New("no space on the tape")
	ctx, cancel := context.WithCancel(context.Background())
	for n := range 4 {
		if err := op.Backup(context.Background(), &failingWriter{n, func() error { return full }}, ""); !errors.Is(err, full) {
			t.Errorf("a writer that fails after %d writes: %v", n, err)
		}
	}
	if err := op.Backup(context.Background(), &failingWriter{1, func() error { panic(full) }}, ""); err == nil || strings.Contains(err.Error(), "tape") {
		t.Errorf("a writer that panics: %v", err)
	}
	if err := op.Backup(context.Background(), &failingWriter{1, func() error { return nil }}, ""); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a writer that takes nothing: %v", err)
	}
	if err := op.Backup(ctx, &failingWriter{1, func() error { cancel(); return ctx.Err() }}, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ends: %v", err)
	}
	if err := op.Backup(context.Background(), nil, ""); !errors.Is(err, vault.ErrInvalid) {
		t.Errorf("no writer: %v", err)
	}
	if n := len(logOf(t, v, audit.Filter{Op: "backup", Outcome: audit.Granted})); n != 7 {
		t.Errorf("%d records, want 7", n)
	}
	must(t, v.Close())
	if err := op.Backup(context.Background(), io.Discard, ""); !errors.Is(err, vault.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestBackupRecordFirst: not a byte leaves before the record is durable.
func TestBackupRecordFirst(t *testing.T) {
	v, p := newBed(t).open()
	for _, f := range storeFaults() {
		f.once(p)
		var b bytes.Buffer
		if err := v.Operator("keeper").Backup(context.Background(), &b, ""); !errors.Is(err, vault.ErrNotRecorded) || b.Len() > 0 {
			t.Errorf("%s: %d bytes, %v", f.name, b.Len(), err)
		}
	}
}

// TestBackupMoved: keys that are rotated and a log that is archived meanwhile are told by name.
func TestBackupMoved(t *testing.T) {
	ctx := context.Background()
	for name, strike := range map[string]func(o *vault.Operator) error{
		"rotated":      func(o *vault.Operator) error { return o.RotateKeys(ctx, vault.Rotation{}) },
		"another root": func(o *vault.Operator) error { return o.SetRoot(ctx, seededRoot(t, 2), "") },
	} {
		for _, when := range []string{"keyring", "v:", "", "keyring, here", "v:, here", ", here"} {
			when, here := strings.CutSuffix(when, ", here") // by the process that makes the backup
			t.Run(fmt.Sprintf("%s at %s, here %v", name, when, here), func(t *testing.T) {
				b := newBed(t)
				v, p := b.open()
				mustPut(t, v.Operator("keeper"), bedPath, "one")
				other := v
				if !here {
					other, _ = b.open()
				}
				struck := false
				p.atRows(func(from string) error {
					if !struck && from == when {
						struck = true
						must(t, strike(other.Operator("other")))
					}
					return nil
				})
				want := vault.ErrConflict
				if name == "another root" && !here {
					want = vault.ErrWrongKey // to back up again would not help: this process has to open the vault anew
				}
				if err := v.Operator("keeper").Backup(ctx, io.Discard, ""); !errors.Is(err, want) || !struck {
					t.Errorf("struck: %v, got %v", struck, err)
				}
			})
		}
	}
}

// TestBackupArchived: a backup beside which the log is archived, here or by another process, before or after its lines were
// copied, is an ErrConflict, and the next one is whole.
func TestBackupArchived(t *testing.T) {
	ctx := context.Background()
	for _, archived := range []bool{false, true} { // once before: the store has the row "cut"
		for _, when := range []string{"keyring", "cut", "v:", "x:" + attackPath + ":1", ""} {
			for _, here := range []bool{true, false} {
				if when == "cut" && !archived {
					continue
				}
				t.Run(fmt.Sprintf("archived before %v, at %q, here %v", archived, when, here), func(t *testing.T) {
					a := aged(t, 4)
					p := &tap{Store: a.store}
					v, err := vault.Open(ctx, vault.Config{Store: p, Root: attackRoot(1), Now: a.clock.now})
					must(t, err)
					defer v.Close()
					if archived {
						a.archiveDays(3)
					}
					other := a.op
					if here {
						other = v.Operator("keeper")
					}
					cut := a.clock.now().AddDate(0, 0, -1)
					reads := 0
					p.atRows(func(from string) error {
						if from == when {
							reads++
						}
						if reads == 0 || when == "cut" && reads == 1 { // the first only finds where to begin
							return nil
						}
						p.atRows(nil)
						return other.Archive(ctx, cut, io.Discard, "old")
					})
					err = v.Operator("keeper").Backup(ctx, io.Discard, "")
					if !errors.Is(err, vault.ErrConflict) || errors.Is(err, vault.ErrTampered) || !strings.Contains(err.Error(), "back up again") {
						t.Errorf("backed up: %v", err)
					}
					w, err := vault.Restore(ctx, vault.Config{Store: memory.New(), Root: attackRoot(1), Now: a.clock.now}, bytes.NewReader(backupOf(t, v)), "")
					must(t, err)
					verifies(t, w)
					must(t, w.Close())
				})
			}
		}
	}
}

// TestBackupTampered: what the store no longer holds as it was written is not backed up.
func TestBackupTampered(t *testing.T) {
	ctx := context.Background()
	for name, change := range map[string]func(d dump) dump{
		"a sealed value":  func(d dump) dump { r := d.row("x:" + bedPath + ":1"); return d.with(r.Key, r.Seq, flipped(r.Data)) },
		"no sealed value": func(d dump) dump { return d.with("x:"+bedPath+":1", 0, nil) },
		"a policy": func(d dump) dump {
			r := d.row("s:" + bedPath)
			return d.with(r.Key, r.Seq, bytes.Replace(r.Data, []byte(`"next":2`), []byte(`"next":3`), 1))
		},
		"an unknown row": func(d dump) dump { return d.with("f:user:x", 1, []byte(`{"since":"2026-06-01T12:00:00Z"}`)) },
		"a line": func(d dump) dump {
			d = d.clone()
			d.lines[1] = bytes.Replace(d.lines[1], []byte("keeper"), []byte("nobody"), 1)
			return d
		},
		"a line is missing": func(d dump) dump { d = d.clone(); d.lines = d.lines[:len(d.lines)-1]; return d },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			v, p := b.open()
			mustPut(t, v.Operator("keeper"), bedPath, "one")
			var out bytes.Buffer
			must(t, v.Operator("keeper").Backup(ctx, &out, ""))
			p.atRows(func(from string) error {
				if from == "keyring" { // after the record
					p.atRows(nil)
					p.Store = change(dumpOf(t, b.store)).store(t)
				}
				return nil
			})
			if err := v.Operator("keeper").Backup(ctx, io.Discard, ""); !errors.Is(err, vault.ErrTampered) {
				t.Errorf("backed up: %v", err)
			}
		})
	}
}

func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}
