// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

// brokenStore is a user's store whose n-th call, of whichever method, goes wrong.
type brokenStore struct {
	*markStore
	until  int // calls that work
	panics bool
	closed int
}

func (s *brokenStore) call() error {
	if s.until--; s.until >= 0 {
		return nil
	}
	if s.panics {
		panic("hunter2 in the store")
	}
	return errDevice
}

func (s *brokenStore) Rows(ctx context.Context, from string, n int) ([]vault.Row, error) {
	if err := s.call(); err != nil {
		return nil, err
	}
	return s.markStore.Rows(ctx, from, n)
}

func (s *brokenStore) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	if err := s.call(); err != nil {
		return nil, err
	}
	return s.markStore.Lines(ctx, from, n)
}

func (s *brokenStore) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	if err := s.call(); err != nil {
		return err
	}
	return s.markStore.Update(ctx, since, fn)
}

func (s *brokenStore) Mark(ctx context.Context) ([]byte, error) {
	if err := s.call(); err != nil {
		return nil, err
	}
	return s.markStore.Mark(ctx)
}

func (s *brokenStore) Close() error {
	s.closed++
	if s.panics {
		panic("hunter2 in Close")
	}
	return nil
}

// TestStoreBrokenAtOpen: whichever call of the store fails or panics, Open and Restore end with an error that does not show
// what it said, and the store is closed.
func TestStoreBrokenAtOpen(t *testing.T) {
	m := newMarked(t)
	end := len(m.at) - 1
	v, err := newMarkStore(m.at[end].store(t), m.mark(end)).open(t)
	must(t, err)
	backup := backupOf(t, v)
	cfg := func(s vault.Store) vault.Config { return vault.Config{Store: s, Root: seededRoot(t, 1)} }
	for _, c := range []struct {
		name  string
		store func() *markStore
		open  func(vault.Store) (*vault.Vault, error)
	}{
		{"a new vault", func() *markStore { return newMarkStore(memory.New()) }, func(s vault.Store) (*vault.Vault, error) { return vault.Open(t.Context(), cfg(s)) }},
		{"an old one", func() *markStore { return newMarkStore(m.at[end].store(t), m.mark(end)) }, func(s vault.Store) (*vault.Vault, error) { return vault.Open(t.Context(), cfg(s)) }},
		{"before its first mark", func() *markStore { return newMarkStore(m.at[1].store(t)) }, func(s vault.Store) (*vault.Vault, error) { return vault.Open(t.Context(), cfg(s)) }},
		{"a restore", func() *markStore { return newMarkStore(memory.New()) }, func(s vault.Store) (*vault.Vault, error) {
			return vault.Restore(t.Context(), cfg(s), bytes.NewReader(backup), "")
		}},
		{"a restore without a backup", func() *markStore { return newMarkStore(m.at[2].store(t), m.mark(end)) }, func(s vault.Store) (*vault.Vault, error) {
			return vault.Restore(t.Context(), cfg(s), nil, "")
		}},
	} {
		for _, panics := range []bool{false, true} {
			failed := 0
			for n := 0; ; n++ {
				s := &brokenStore{markStore: c.store(), until: n, panics: panics}
				v, err := c.open(s)
				if err == nil {
					_ = v.Close()
					break // nothing calls it so often
				}
				failed++
				if s.closed != 1 || v != nil || strings.Contains(err.Error(), "hunter2") || !panics && !errors.Is(err, errDevice) {
					t.Errorf("%s, call %d, panics %v: closed %d times, %v", c.name, n, panics, s.closed, err)
				}
				if errors.Is(err, vault.ErrTampered) || errors.Is(err, vault.ErrRollback) || errors.Is(err, vault.ErrInvalid) {
					t.Errorf("%s, call %d, panics %v: a store that fails is taken for one that was changed: %v", c.name, n, panics, err)
				}
				if !strings.HasPrefix(err.Error(), "vault: ") {
					t.Errorf("%s: the error does not say whose it is: %v", c.name, err)
				}
			}
			if failed < 4 {
				t.Errorf("%s: %d calls", c.name, failed)
			}
		}
	}
}

// TestStoreNeverUpdates: a store that says nil without running the update does not get a vault past the head file either.
func TestStoreNeverUpdates(t *testing.T) {
	m := newMarked(t)
	for calls := range 3 { // how many updates it does run
		s := &lazyStore{markStore: newMarkStore(m.at[1].store(t)), until: calls}
		v, err := vault.Open(t.Context(), vault.Config{Store: s, Root: seededRoot(t, 1)})
		if calls == 2 { // the one that loads, and the one that writes the mark
			must(t, err)
			must(t, v.Close())
			continue
		}
		if err == nil || s.newest() != nil {
			t.Errorf("opened after %d updates: %v", calls, err)
		}
	}
}

type lazyStore struct {
	*markStore
	until int
}

func (s *lazyStore) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	if s.until--; s.until < 0 {
		return nil
	}
	return s.markStore.Update(ctx, since, fn)
}

// eagerStore runs every update twice, and keeps errors of the function to itself.
type eagerStore struct {
	vault.Store
	twice, silent bool
}

func (s *eagerStore) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	err := s.Store.Update(ctx, since, func(changed []vault.Row) (b vault.Batch, err error) {
		if b, err = fn(changed); s.twice {
			b, err = fn(changed)
		}
		return b, err
	})
	if s.silent {
		return nil
	}
	return err
}

// TestStoreRunsTwice: a function that was run twice, or whose error was kept back, has granted nothing.
func TestStoreRunsTwice(t *testing.T) {
	for _, s := range []*eagerStore{{twice: true}, {twice: true, silent: true}} {
		b := newBed(t)
		v, p := b.open()
		op := v.Operator("keeper")
		mustPut(t, op, bedPath, "value")
		counted := mustIssue(t, op, reader(1))
		before := dumpOf(t, b.store)
		s.Store, p.Store = b.store, s
		wantRefused(t, counted, bedPath, vault.ErrNotRecorded)
		p.Store = b.store
		if !dumpOf(t, b.store).equal(before) {
			t.Errorf("%+v: something was written", s)
		}
		wantValue(t, counted, bedPath, "value", 1)
		wantRefused(t, counted, bedPath, vault.ErrDeadToken)
		verifies(t, v)

		old := newVictim(t, 1)
		damaged := old.with("head", old.row("head").Seq, flipped(old.row("head").Data)).store(t)
		for name, store := range map[string]vault.Store{"new": memory.New(), "damaged": damaged} {
			s.Store = store
			if _, err := vault.Open(t.Context(), vault.Config{Store: s, Root: old.root}); err == nil {
				t.Errorf("%+v: %s: it was opened", s, name)
			}
		}
	}
	old := newVictim(t, 1)
	row := old.row("s:" + old.secrets[0])
	damaged := old.with(row.Key, row.Seq, bytes.Replace(row.Data, []byte(`"next":3`), []byte(`"next":4`), 1)).store(t)
	if _, err := vault.Open(t.Context(), vault.Config{Store: &eagerStore{Store: damaged, silent: true}, Root: old.root}); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("a store that keeps the error back: %v", err)
	}
}

// muddledStore gives rows and lines that were not asked for.
type muddledStore struct {
	vault.Store
	on bool
}

func (s *muddledStore) Rows(ctx context.Context, from string, n int) ([]vault.Row, error) {
	rows, err := s.Store.Rows(ctx, from, n)
	if s.on {
		rows = append(rows, rows...)
	}
	return rows, err
}

func (s *muddledStore) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	lines, err := s.Store.Lines(ctx, from, n)
	if s.on {
		lines = append(lines, lines...)
	}
	return lines, err
}

// TestStoreMuddled: pages have bounds, whatever a store gives.
func TestStoreMuddled(t *testing.T) {
	old := newVictim(t, 1)
	s := &muddledStore{old.store(t), true}
	if _, err := vault.Open(t.Context(), vault.Config{Store: unclosed{s}, Root: old.root}); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("Open: %v", err)
	}
	s.on = false
	v, err := vault.Open(t.Context(), vault.Config{Store: s, Root: old.root})
	must(t, err)
	defer v.Close()
	op := v.Operator("keeper")
	s.on = true
	wantRefused(t, op, old.secrets[0], vault.ErrTampered)
	if err := op.Backup(t.Context(), &bytes.Buffer{}, ""); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("Backup: %v", err)
	}
	if err := v.Log().Verify(t.Context()); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("Verify: %v", err)
	}
	s.on = false
	wantValue(t, op, old.secrets[0], old.value(old.secrets[0], versionsEach), versionsEach)
	verifies(t, v)
}
