// SPDX-License-Identifier: Apache-2.0

package anchor_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/anchor"
	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

const origin = "keyward/00112233445566778899aabbccddeeff"

func head(size int64, root byte) audit.Head {
	return audit.Head{Size: size, Root: [32]byte{0: root, 31: 1}}
}

func load(t *testing.T, a *anchor.Anchor, want audit.Head) {
	t.Helper()
	if h, err := a.Load(t.Context()); err != nil || h != want {
		t.Errorf("at %d %x, %v; want %d", h.Size, h.Root[:2], err, want.Size)
	}
}

func advance(t *testing.T, a *anchor.Anchor, from, to audit.Head, want error) {
	t.Helper()
	if err := a.Advance(t.Context(), from, to); !errors.Is(err, want) {
		t.Errorf("from %d to %d: %v; want %v", from.Size, to.Size, err, want)
	}
}

// opener opens a store in a file, which has a head file beside it.
type opener func(ctx context.Context, path string) (vault.Store, error)

// inFiles gives each kind of them.
func inFiles(t *testing.T) map[string]opener {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there are no stores in files on Windows")
	}
	return map[string]opener{
		"sqlite": func(ctx context.Context, path string) (vault.Store, error) { return sqlite.Open(ctx, path) },
		"file":   func(ctx context.Context, path string) (vault.Store, error) { return file.Open(ctx, path) },
	}
}

func (open opener) at(t *testing.T, path string) vault.Store {
	t.Helper()
	s, err := open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// stores gives two handles on each kind of store, or one twice where a second is refused.
func stores(t *testing.T) map[string][2]vault.Store {
	m := memory.New()
	all := map[string][2]vault.Store{"memory": {m, m}}
	if runtime.GOOS == "windows" {
		return all
	}
	for kind, open := range inFiles(t) {
		path := filepath.Join(t.TempDir(), "anchors")
		s := open.at(t, path)
		all[kind] = [2]vault.Store{s, s}
		if kind == "sqlite" {
			all[kind] = [2]vault.Store{s, open.at(t, path)}
		}
	}
	return all
}

func TestCompareAndSwap(t *testing.T) {
	for name, pair := range stores(t) {
		t.Run(name, func(t *testing.T) {
			a, same, other := anchor.In(pair[0], origin), anchor.In(pair[1], origin), anchor.In(pair[1], "staging")
			zero := audit.Head{}
			load(t, a, zero)
			advance(t, a, head(1, 1), head(2, 2), vault.ErrConflict) // never written
			load(t, a, zero)
			advance(t, a, zero, head(3, 1), nil)
			load(t, same, head(3, 1))
			load(t, other, zero)
			advance(t, same, zero, head(4, 1), vault.ErrConflict)
			advance(t, same, head(3, 2), head(4, 1), vault.ErrConflict) // another root
			advance(t, same, head(2, 1), head(4, 1), vault.ErrConflict)
			advance(t, other, zero, head(9, 9), nil)
			advance(t, same, head(3, 1), head(4, 2), nil)
			advance(t, a, head(3, 1), head(4, 2), vault.ErrConflict) // somebody else did
			load(t, a, head(4, 2))
			load(t, other, head(9, 9))

			for _, to := range []audit.Head{{}, head(4, 2), head(-1, 0)} {
				advance(t, a, head(4, 2), to, vault.ErrInvalid)
			}
			advance(t, a, head(-1, 0), head(5, 0), vault.ErrInvalid)
			load(t, a, head(4, 2))
			advance(t, a, head(4, 2), head(3, 3), nil) // a restore goes back
			load(t, a, head(3, 3))
			load(t, anchor.In(pair[0], "before-the-others"), zero)
			load(t, anchor.In(pair[0], "kind"), zero) // between them
		})
	}
}

// However often it moves, the store holds one row a name and one line.
func TestStoreDoesNotGrow(t *testing.T) {
	store := memory.New()
	for _, name := range []string{"a", "b"} {
		for i := range int64(100) {
			from := head(i, byte(i))
			if i == 0 {
				from = audit.Head{}
			}
			advance(t, anchor.In(store, name), from, head(i+1, byte(i+1)), nil)
		}
	}
	rows, err := store.Rows(t.Context(), "", 1000)
	if err != nil || len(rows) != 2 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if dropped, err := store.Lines(t.Context(), 198, 1000); err != nil || len(dropped) != 0 {
		t.Errorf("%d lines that should be dropped, %v", len(dropped), err)
	}
	lines, err := store.Lines(t.Context(), 199, 1000)
	if err != nil || len(lines) != 1 || string(lines[0]) != string(rows[1].Data) {
		t.Errorf("lines %q, %v", lines, err)
	}
}

// Of all who swap from one head exactly one wins, and the anchor goes where the winner said.
func TestRace(t *testing.T) {
	const workers, steps = 8, 20
	for name, pair := range stores(t) {
		t.Run(name, func(t *testing.T) {
			at := audit.Head{}
			for step := range int64(steps) {
				var wins atomic.Int32
				var winner audit.Head
				var group sync.WaitGroup
				for i := range workers {
					group.Go(func() {
						to := head(step+1, byte(i))
						switch err := anchor.In(pair[i%2], origin).Advance(t.Context(), at, to); {
						case err == nil:
							wins.Add(1)
							winner = to
						case !errors.Is(err, vault.ErrConflict):
							t.Error(err)
						}
					})
				}
				group.Wait()
				if wins.Load() != 1 {
					t.Fatalf("step %d: %d won", step, wins.Load())
				}
				load(t, anchor.In(pair[0], origin), winner)
				at = winner
			}
		})
	}
}

// Many names in one store do not lose one another's lines.
func TestNamesDoNotDisturb(t *testing.T) {
	for name, pair := range stores(t) {
		t.Run(name, func(t *testing.T) {
			var group sync.WaitGroup
			for i := range 8 {
				group.Go(func() {
					a, at := anchor.In(pair[i%2], fmt.Sprint("vault-", i)), audit.Head{}
					for step := range int64(10) {
						to := head(step+1, byte(i))
						advance(t, a, at, to, nil)
						at = to
					}
				})
			}
			group.Wait()
			for i := range 8 {
				load(t, anchor.In(pair[0], fmt.Sprint("vault-", i)), head(10, byte(i)))
			}
		})
	}
}

func TestNames(t *testing.T) {
	store := memory.New()
	for name, ok := range map[string]bool{
		origin: true, "a": true, "A_b-9/c": true, strings.Repeat("a", 64): true, strings.Repeat("a/", 63) + "aa": true,
		"": false, "/": false, "a/": false, "/a": false, "a//b": false, "a b": false, "a\n": false, "a\x00": false, "ä": false, "a:b": false, "a.b": false,
		strings.Repeat("a", 65): false, strings.Repeat("a/", 64) + "a": false,
	} {
		a := anchor.In(store, name)
		_, err := a.Load(t.Context())
		if errors.Is(err, vault.ErrInvalid) == ok {
			t.Errorf("%q: load: %v", name, err)
		}
		if err := a.Advance(t.Context(), audit.Head{}, head(1, 1)); errors.Is(err, vault.ErrInvalid) == ok {
			t.Errorf("%q: advance: %v", name, err)
		}
	}
	if _, err := anchor.In(nil, "a").Load(t.Context()); !errors.Is(err, vault.ErrInvalid) {
		t.Error(err)
	}
}

// put writes a row as somebody would who can write the store.
func put(t *testing.T, store vault.Store, first int64, key, data string) {
	t.Helper()
	err := store.Update(t.Context(), 0, func([]vault.Row) (vault.Batch, error) {
		return vault.Batch{First: first, Lines: [][]byte{[]byte("x")}, Rows: []vault.Row{{Key: key, Seq: first, Data: []byte(data)}}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestChangedRows(t *testing.T) {
	const good = `{"anchor":"a","size":7,"root":"PBU0I1wkNQirkjWJ9/wMGQrzVKsf6jugBvIZjjfQyzw="}`
	store := memory.New()
	put(t, store, 0, "anchor:a", good)
	a := anchor.In(store, "a")
	h, err := a.Load(t.Context())
	if err != nil || h.Size != 7 || h.Root[0] != 0x3c {
		t.Fatalf("the good row: %v", err)
	}
	next := int64(1)
	for _, bad := range []string{
		`{}`, `null`, `7`, `x`, `[]`, good + " ", " " + good, good + good,
		strings.Replace(good, `"a"`, `"b"`, 1), strings.Replace(good, `7`, `0`, 1), strings.Replace(good, `7`, `-7`, 1), strings.Replace(good, `7`, `07`, 1),
		strings.Replace(good, `7`, `7.0`, 1), strings.Replace(good, `7`, `99999999999999999999`, 1), strings.Replace(good, `PBU0`, ``, 1),
		strings.Replace(good, `zw=`, `zx=`, 1), strings.Replace(good, `size`, `Size`, 1), strings.Replace(good, `{`, `{"x":1,`, 1), strings.Replace(good, `"size":7`, `"size":8,"size":7`, 1),
	} {
		put(t, store, next, "anchor:a", bad)
		next++
		if h, err := a.Load(t.Context()); h != (audit.Head{}) || !errors.Is(err, vault.ErrTampered) {
			t.Errorf("%s: %v", bad, err)
		}
		advance(t, a, h, head(8, 1), vault.ErrTampered)
		advance(t, a, audit.Head{}, head(8, 1), vault.ErrTampered)
	}
}

// A store with anything else in it is left alone: a vault's own before all.
func TestForeignStores(t *testing.T) {
	store := &kept{memory.New()}
	v, err := vault.Open(t.Context(), vault.Config{Store: store, Root: root{}})
	if err != nil {
		t.Fatal(err)
	}
	advance(t, anchor.In(store, "a"), audit.Head{}, head(1, 1), vault.ErrInvalid)
	if _, err := anchor.In(store, "a").Load(t.Context()); !errors.Is(err, vault.ErrInvalid) {
		t.Error(err)
	}
	if _, err := v.Operator("o").Put(t.Context(), vault.Item{Path: "a/b", Value: vault.NewSecret("v")}); err != nil {
		t.Errorf("the vault: %v", err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}

	lost := memory.New() // the rows were taken out of it
	advance(t, anchor.In(lost, "a"), audit.Head{}, head(1, 1), nil)
	err = lost.Update(t.Context(), 0, func([]vault.Row) (vault.Batch, error) {
		return vault.Batch{First: 1, Lines: [][]byte{[]byte("x")}, Rows: []vault.Row{{Key: "anchor:a", Seq: 1}}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	advance(t, anchor.In(lost, "a"), audit.Head{}, head(2, 1), vault.ErrTampered)
	if err := anchor.In(lost, "a").Advance(t.Context(), audit.Head{}, head(2, 1)); errors.Is(err, vault.ErrConflict) {
		t.Errorf("it reads as a lost swap: %v", err)
	}
}

// failing is a store whose answers a test sets.
type failing struct {
	vault.Store
	err error
}

func (s failing) Rows(context.Context, string, int) ([]vault.Row, error) { return nil, s.err }
func (s failing) Update(context.Context, int64, func([]vault.Row) (vault.Batch, error)) error {
	return s.err
}

func TestStoreErrors(t *testing.T) {
	for _, e := range []error{vault.ErrBusy, vault.ErrClosed, syscall.ENOSPC, context.Canceled, errors.New("link is down")} {
		a := anchor.In(failing{nil, e}, "a")
		if _, err := a.Load(t.Context()); !errors.Is(err, e) || !strings.Contains(err.Error(), `"a"`) {
			t.Error(err)
		}
		if err := a.Advance(t.Context(), audit.Head{}, head(1, 1)); !errors.Is(err, e) || errors.Is(err, vault.ErrConflict) {
			t.Error(err)
		}
	}
	if err := anchor.In(failing{nil, nil}, "a").Advance(t.Context(), audit.Head{}, head(1, 1)); err == nil {
		t.Error("a store that does nothing, and no error")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	a := anchor.In(memory.New(), "a")
	if _, err := a.Load(ended); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := a.Advance(ended, audit.Head{}, head(1, 1)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	load(t, a, audit.Head{})
}

// The heads of a real log.
func TestHeadsOfAVault(t *testing.T) {
	v := vaulttest.Open(t, map[string]string{"a/b": "v"})
	a, at := anchor.In(memory.New(), origin), audit.Head{}
	for range 3 {
		checkpoint, err := v.Log().Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		h, err := audit.ParseCheckpoint(checkpoint, v.Log().Key())
		if err != nil {
			t.Fatal(err)
		}
		advance(t, a, at, h, nil)
		load(t, a, h)
		at = h
		if _, err := v.Operator("o").Get(t.Context(), vault.Request{Path: "a/b"}); err != nil {
			t.Fatal(err)
		}
	}
}

// kept is a store that its vault does not close.
type kept struct{ *memory.Store }

func (*kept) Close() error { return nil }

// root seals nothing.
type root struct{}

func (root) EncryptWithContext(_ context.Context, p, _ []byte) ([]byte, error) {
	return append([]byte("sealed"), p...), nil
}
func (root) DecryptWithContext(_ context.Context, c, _ []byte) ([]byte, error) {
	return append([]byte(nil), c[6:]...), nil
}
