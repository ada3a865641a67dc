// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// headFileStores are the stores that have a head file.
var headFileStores = map[string]func(path string) (vault.Store, error){
	"sqlite": func(path string) (vault.Store, error) { return sqlite.Open(context.Background(), path) },
	"file":   func(path string) (vault.Store, error) { return file.Open(context.Background(), path) },
}

// folder is a closed vault in a store with a head file, in a folder of its own.
type folder struct {
	path  string
	store func(path string) (vault.Store, error)
	root  vault.RootKey
}

func newFolder(t testing.TB, store func(string) (vault.Store, error)) *folder {
	return &folder{filepath.Join(t.TempDir(), "agents"), store, seededRoot(t, 1)}
}

func (f *folder) config(t testing.TB) vault.Config {
	t.Helper()
	s, err := f.store(f.path)
	must(t, err) // also where the head file is lost
	return vault.Config{Store: s, Root: f.root}
}

func (f *folder) open(t testing.TB) *vault.Vault {
	t.Helper()
	v, err := vault.Open(context.Background(), f.config(t))
	must(t, err)
	return v
}

// files are those of the folder, by name, but for the lock.
func (f *folder) files(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(filepath.Dir(f.path))
	must(t, err)
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "-lock") {
			text, err := os.ReadFile(filepath.Join(filepath.Dir(f.path), e.Name()))
			must(t, err)
			all[e.Name()] = string(text)
		}
	}
	return all
}

// refused fails the test if an opening does anything but fail with want.
func (f *folder) refused(t testing.TB, name string, want error, open func(vault.Config) (*vault.Vault, error)) {
	t.Helper()
	before := f.files(t)
	v, err := open(f.config(t))
	if err == nil {
		_ = v.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", name, err, want)
	}
	if after := f.files(t); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("%s: the files were changed", name)
	}
}

func (f *folder) openRefused(t testing.TB, want error) {
	t.Helper()
	f.refused(t, "Open", want, func(c vault.Config) (*vault.Vault, error) { return vault.Open(context.Background(), c) })
}

// accept restores the vault as it lies there.
func (f *folder) accept(t testing.TB) *vault.Vault {
	t.Helper()
	v, err := vault.Restore(context.Background(), f.config(t), nil, "the head file is gone")
	must(t, err)
	return v
}

func head(path string) string { return path + "-head" }

// blankHead is a head file without a mark: what a crash leaves behind the making of one.
func blankHead(t testing.TB, store func(string) (vault.Store, error)) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "new")
	s, err := store(path)
	must(t, err)
	must(t, s.Close())
	text, err := os.ReadFile(head(path))
	must(t, err)
	return text
}

// TestRestoreHeadFileLost: without its head file, or with one that says nothing true, a vault opens only through Restore.
// Then the new head file protects it as the old one did.
func TestRestoreHeadFileLost(t *testing.T) {
	ctx := context.Background()
	write := func(text []byte) func(string) error {
		return func(path string) error { return os.WriteFile(path, text, 0o600) }
	}
	for kind, store := range headFileStores {
		other := newFolder(t, store)
		must(t, other.open(t).Close())
		foreign, err := os.ReadFile(head(other.path))
		must(t, err)
		for name, c := range map[string]struct {
			lose func(head string) error
			want error
			lost bool // not only false
		}{
			"deleted":         {os.Remove, vault.ErrRollback, true},
			"zeroed":          {write(make([]byte, 1024)), vault.ErrTampered, true},
			"emptied":         {write(nil), vault.ErrTampered, true},
			"another vault's": {write(foreign), vault.ErrTampered, false},
			"new":             {write(blankHead(t, store)), vault.ErrRollback, false},
		} {
			t.Run(kind+", "+name, func(t *testing.T) {
				f := newFolder(t, store)
				v := f.open(t)
				mustPut(t, v.Operator("keeper"), bedPath, "one")
				s := mustIssue(t, v.Operator("keeper"), reader(0))
				text := backupOf(t, v)
				must(t, v.Close())
				must(t, c.lose(head(f.path)))

				f.openRefused(t, c.want)
				f.openRefused(t, c.want) // the first has not made a head file
				want := c.want
				if !c.lost {
					want = vault.ErrInvalid // not empty
				}
				f.refused(t, "Restore of a backup", want, func(c vault.Config) (*vault.Vault, error) {
					return vault.Restore(ctx, c, bytes.NewReader(text), "")
				})
				f.refused(t, "Restore with another root", vault.ErrWrongKey, func(c vault.Config) (*vault.Vault, error) {
					c.Root = seededRoot(t, 2)
					return vault.Restore(ctx, c, nil, "")
				})

				v = f.accept(t)
				wantRefused(t, at(v, s), bedPath, vault.ErrDeadToken)
				wantValue(t, v.Operator("keeper"), bedPath, "one", 1)
				verifies(t, v)
				r := logOf(t, v, audit.Filter{Op: "restore"})
				if len(r) != 1 || strings.Contains(r[0].Detail, `"mark_lost":true`) != c.lost || strings.Contains(r[0].Detail, `"mark":`) {
					t.Errorf("the record: %v", r)
				}
				must(t, v.Close())
				if info, err := os.Lstat(head(f.path)); err != nil || info.Mode() != 0o600 {
					t.Errorf("the new head file: %v, %v", info, err)
				}

				old := f.files(t)
				v = f.open(t)
				mustPut(t, v.Operator("keeper"), bedPath, "two")
				must(t, v.Close())
				must(t, write([]byte(old[filepath.Base(f.path)]))(f.path)) // the tail is cut
				f.openRefused(t, vault.ErrRollback)
			})
		}
	}
}

// TestRestoreHeadFileCrash: whatever a crash leaves of a Restore that makes the head file anew, Restore does it again.
func TestRestoreHeadFileCrash(t *testing.T) {
	for kind, store := range headFileStores {
		f := newFolder(t, store)
		v := f.open(t)
		mustPut(t, v.Operator("keeper"), bedPath, "one")
		must(t, v.Close())
		before := f.files(t)[filepath.Base(f.path)]
		must(t, os.Remove(head(f.path)))
		must(t, f.accept(t).Close())
		after := f.files(t)[filepath.Base(f.path)]
		blank := string(blankHead(t, store))
		for name, c := range map[string]struct {
			store, head string
			want        error // of Open
		}{
			"before the head file":             {before, "", vault.ErrRollback},
			"behind the head file":             {before, blank, vault.ErrRollback},
			"behind the commit":                {after, blank, nil},
			"behind the commit, the file lost": {after, "", vault.ErrRollback},
		} {
			t.Run(kind+", "+name, func(t *testing.T) {
				f := &folder{filepath.Join(t.TempDir(), "agents"), f.store, f.root}
				must(t, os.WriteFile(f.path, []byte(c.store), 0o600))
				if c.head != "" {
					must(t, os.WriteFile(head(f.path), []byte(c.head), 0o600))
				}
				if c.want != nil {
					f.openRefused(t, c.want)
				} else {
					must(t, f.open(t).Close())
				}
				v := f.accept(t)
				s := mustIssue(t, v.Operator("keeper"), reader(0))
				must(t, v.Close())
				v = f.open(t)
				wantValue(t, at(v, s), bedPath, "one", 1)
				must(t, v.Close())
			})
		}
	}
}

// renewStore sees which batches would make a head file anew.
type renewStore struct {
	*markStore
	renews, batches int
}

func (s *renewStore) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	return s.markStore.Update(ctx, since, func(changed []vault.Row) (vault.Batch, error) {
		b, err := fn(changed)
		if len(b.Lines) > 0 {
			s.batches++
		}
		if b.Renew {
			s.renews++
		}
		return b, err
	})
}

// TestRenewOnce: of all commits only that of a Restore without a backup makes a head file anew, and only if it is lost: a
// store that cannot say for another reason is not asked to.
func TestRenewOnce(t *testing.T) {
	ctx := context.Background()
	root := seededRoot(t, 1)
	store := &renewStore{markStore: newMarkStore(memory.New())}
	cfg := vault.Config{Store: store, Root: root}
	v, err := vault.Open(ctx, cfg)
	must(t, err)
	mustPut(t, v.Operator("keeper"), bedPath, "one")
	text := backupOf(t, v)
	must(t, v.Close())
	into := &renewStore{markStore: newMarkStore(memory.New())}
	v, err = vault.Restore(ctx, vault.Config{Store: into, Root: root}, bytes.NewReader(text), "")
	must(t, err)
	must(t, v.Close())
	v, err = vault.Restore(ctx, cfg, nil, "")
	must(t, err)
	must(t, v.Close())
	if store.renews+into.renews > 0 || into.batches == 0 {
		t.Errorf("%d of %d batches say Renew", store.renews+into.renews, store.batches+into.batches)
	}
	for _, c := range []struct {
		err  error
		want int
	}{{errDevice, 0}, {vault.ErrBusy, 0}, {vault.ErrClosed, 0}, {vault.ErrRollback, 1}, {vault.ErrTampered, 1}} {
		store.batches, store.renews = 0, 0
		store.onMark = func() ([]byte, error) { return nil, fmt.Errorf("mark: %w", c.err) }
		if v, err = vault.Restore(ctx, cfg, nil, ""); err == nil {
			mustPut(t, v.Operator("keeper"), bedPath, "more")
			must(t, v.Close())
		}
		if (err == nil) != (c.want > 0) || c.want == 0 && !errors.Is(err, c.err) || store.renews != c.want || store.batches != 2*c.want {
			t.Errorf("Mark says %v: %v, %d of %d batches say Renew", c.err, err, store.renews, store.batches)
		}
	}
}
