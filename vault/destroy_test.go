// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// storesOfFiles are those whose files are searched.
var storesOfFiles = map[string]func(ctx context.Context, dir string) (vault.Store, error){
	"sqlite": func(ctx context.Context, dir string) (vault.Store, error) {
		return sqlite.Open(ctx, filepath.Join(dir, "vault.db"))
	},
	"file": func(ctx context.Context, dir string) (vault.Store, error) {
		return file.Open(ctx, filepath.Join(dir, "vault.journal"))
	},
}

// lies reports whether b lies in data, as it is or in base64 that began at any byte before it.
func lies(data, b []byte) bool {
	for before := range 3 {
		text := b64(append(make([]byte, before), b...))
		if bytes.Contains(data, []byte(text[4:len(text)-4])) { // but for the groups that others share
			return true
		}
	}
	return bytes.Contains(data, b)
}

// found says in which files of a folder each of the given bytes lie.
func found(t testing.TB, dir string, what map[string][]byte) (out []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := exec.Command("cat", path).Output() // not in this process: that would drop the store's locks
		for name, b := range what {
			if lies(data, b) {
				out = append(out, name+" in "+filepath.Base(path))
			}
		}
		return err
	}))
	return out
}

// sealedBytes are those of a version that must go: the text of its wrapped key, and pieces of its sealed value (a row may be
// split over pages).
func sealedBytes(t testing.TB, s vault.Store, path string) map[string][]byte {
	t.Helper()
	one := func(key string) []byte {
		rows, err := s.Rows(context.Background(), key, 1)
		must(t, err)
		if len(rows) != 1 || rows[0].Key != key {
			t.Fatalf("no row %s", key)
		}
		return rows[0].Data
	}
	var row struct{ Key []byte }
	must(t, json.Unmarshal(one("v:"+path+":1"), &row))
	sealed := one("x:" + path + ":1")
	return map[string][]byte{"wrapped key": []byte(b64(row.Key)), "start of the value": sealed[:24], "end of the value": sealed[len(sealed)-24:]}
}

// TestDestroyFiles: while the vault is open, no file of the folder holds a wrapped key or sealed value of a version that was
// destroyed, whether or not it was deleted before.
func TestDestroyFiles(t *testing.T) {
	ctx := context.Background()
	for name, open := range storesOfFiles {
		for _, long := range []int{20, 100_000} {
			t.Run(fmt.Sprint(name, ", ", long, " bytes"), func(t *testing.T) {
				dir := t.TempDir()
				store, err := open(ctx, dir)
				must(t, err)
				v, err := vault.Open(ctx, vault.Config{Store: store, Root: attackRoot(1)})
				must(t, err)
				defer func() { must(t, v.Close()) }()
				op := v.Operator("keeper")
				value := string(bytes.Repeat([]byte("v"), long))
				for _, path := range []string{"a/kept", "a/destroyed", "a/deleted"} {
					mustPut(t, op, path, value)
				}
				kept, destroyed, deleted := sealedBytes(t, store, "a/kept"), sealedBytes(t, store, "a/destroyed"), sealedBytes(t, store, "a/deleted")
				for _, w := range []map[string][]byte{kept, destroyed, deleted} {
					if n := len(found(t, dir, w)); n < 3 {
						t.Fatalf("%d of 3 pieces found before: the test looks for the wrong bytes", n)
					}
				}
				must(t, op.Delete(ctx, vault.Request{Path: "a/deleted", Version: 1}))
				must(t, op.Destroy(ctx, vault.Request{Path: "a/destroyed", Version: 1, Reason: "it is over"}))
				for _, w := range []map[string][]byte{destroyed, deleted} {
					if where := found(t, dir, w); len(where) != 0 {
						t.Errorf("still there: %q", where)
					}
				}
				must(t, op.Destroy(ctx, vault.Request{Path: "a/deleted", Version: 1}))
				if where := found(t, dir, deleted); len(where) != 0 {
					t.Errorf("still there: %q", where)
				}
				if where := found(t, dir, kept); len(where) < 3 {
					t.Errorf("what was to stay is gone: %q", where)
				}
				wantRefused(t, op, "a/destroyed", vault.ErrNotFound)
				wantValue(t, op, "a/kept", value, 1)
				if items, err := op.Whose(ctx, vault.NewSecret(value)); err != nil || len(items) != 3 {
					t.Errorf("Whose: %d, %v", len(items), err)
				}
				wantLast(t, v, audit.Filter{Op: "destroy", Path: "a/destroyed"}, audit.Granted, "")
				verifies(t, v)
			})
		}
	}
}

// TestRotateFiles: when keys were rotated, no file holds the former keyring or a data key that a former key wrapped.
func TestRotateFiles(t *testing.T) {
	ctx := context.Background()
	for name, open := range storesOfFiles {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store, err := open(ctx, dir)
			must(t, err)
			v, err := vault.Open(ctx, vault.Config{Store: store, Root: attackRoot(1)})
			must(t, err)
			defer func() { must(t, v.Close()) }()
			op := v.Operator("keeper")
			paths := manyPaths(300)
			putAll(t, op, paths)
			row, err := store.Rows(ctx, "keyring", 1)
			must(t, err)
			ring := row[0].Data
			former := map[string][]byte{"keyring": ring[20:60], "end of the keyring": ring[len(ring)-60 : len(ring)-10]}
			for _, path := range paths[:20] {
				former["wrapped key of "+path] = sealedBytes(t, store, path)["wrapped key"]
			}
			if n := len(found(t, dir, former)); n < len(former) {
				t.Fatalf("%d of %d pieces found before", n, len(former))
			}
			rotate(t, op, false)
			if where := found(t, dir, former); len(where) != 0 {
				t.Errorf("still there: %q", where)
			}
			wantAll(t, op, paths)
		})
	}
}

func TestDestroyRefused(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	destroy := func(path string, n int) func() error {
		return func() error { return a.op.Destroy(ctx, vault.Request{Path: path, Version: n}) }
	}
	cred, _ := a.newKey(vault.Key{Operator: true})
	a.run(
		deny("no version", "destroy", vault.ErrInvalid, "invalid", destroy(attackPath, 0)),
		deny("a negative version", "destroy", vault.ErrInvalid, "invalid", destroy(attackPath, -1)),
		deny("no such path", "destroy", vault.ErrNotFound, "not_found", destroy("production/none", 1)),
		deny("no such version", "destroy", vault.ErrNotFound, "not_found", destroy(attackPath, 2)),
		allow("a version", "destroy", destroy(attackPath, 1)),
		allow("once more", "destroy", destroy(attackPath, 1)),
		deny("what was destroyed", "get", vault.ErrNotFound, "not_found", getting(a.op, attackPath)),
		allow("by a remote operator", "destroy", func() error {
			return a.v.Remote(cred, attackHome).Destroy(ctx, vault.Request{Path: attackOther, Version: 1})
		}),
	)
	if _, err := a.op.Put(ctx, vault.Item{Path: attackPath, Version: 2, Value: vault.NewSecret("next")}); err != nil {
		t.Errorf("the number of a destroyed version was not kept: %v", err)
	}
}

// scrubbing counts the batches that ask for it.
type scrubbing struct {
	vault.Store
	n int
}

func (s *scrubbing) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	return s.Store.Update(ctx, since, func(changed []vault.Row) (vault.Batch, error) {
		b, err := fn(changed)
		if b.Scrub {
			s.n++
		}
		return b, err
	})
}

// TestScrubAsked: what destroys something asks the store to scrub, and nothing else does.
func TestScrubAsked(t *testing.T) {
	ctx := context.Background()
	bed := newBed(t)
	v, p := bed.open()
	s := &scrubbing{Store: p.Store}
	p.Store = s
	op := v.Operator("keeper")
	for name, c := range map[string]struct {
		want int
		do   func() error
	}{
		"put": {0, func() error { mustPut(t, op, bedPath, "v"); return nil }}, "destroy": {1, func() error {
			return op.Destroy(ctx, vault.Request{Path: bedPath, Version: mustPut(t, op, bedPath, "v")})
		}},
		"delete": {0, func() error { mustPut(t, op, bedPath, "v"); return op.Delete(ctx, vault.Request{Path: bedPath}) }},
		"root":   {1, func() error { return op.SetRoot(ctx, bed.root, "") }}, "rotate": {2, func() error { return op.RotateKeys(ctx, vault.Rotation{}) }},
	} {
		s.n = 0
		if err := c.do(); err != nil || s.n != c.want {
			t.Errorf("%s: %v, scrubbed %d times, want %d", name, err, s.n, c.want)
		}
	}
	if err := op.Destroy(ctx, vault.Request{Path: "production/none", Version: 1}); !errors.Is(err, vault.ErrNotFound) || s.n > 2 {
		t.Errorf("a refused Destroy: %v", err)
	}
}
