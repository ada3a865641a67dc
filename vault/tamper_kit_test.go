// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// dump is all that a store holds, for a test to change and put back.
type dump struct {
	rows  []vault.Row
	lines [][]byte
}

func dumpOf(t testing.TB, s vault.Store) (d dump) {
	t.Helper()
	var err1, err2 error
	d.rows, err1 = s.Rows(context.Background(), "", 1<<20)
	d.lines, err2 = s.Lines(context.Background(), 0, 1<<20)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d dump) clone() dump {
	d.rows, d.lines = slices.Clone(d.rows), slices.Clone(d.lines)
	return d
}

func (d dump) equal(e dump) bool {
	return slices.EqualFunc(d.lines, e.lines, bytes.Equal) && slices.EqualFunc(d.rows, e.rows, sameRow)
}

func sameRow(a, b vault.Row) bool {
	return a.Key == b.Key && a.Seq == b.Seq && bytes.Equal(a.Data, b.Data)
}

// store is a new store that holds the dump.
func (d dump) store(t testing.TB) *memory.Store {
	t.Helper()
	s := memory.New()
	err := s.Update(context.Background(), 0, func([]vault.Row) (vault.Batch, error) {
		return vault.Batch{Lines: d.lines, Rows: d.rows}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (d dump) index(key string) int {
	return slices.IndexFunc(d.rows, func(r vault.Row) bool { return r.Key == key })
}

func (d dump) row(key string) vault.Row { return d.rows[d.index(key)] }

// with is the dump with one row replaced, added, or, where data is nil, taken away.
func (d dump) with(key string, seq int64, data []byte) dump {
	d = d.clone()
	i := d.index(key)
	switch {
	case data == nil:
		d.rows = slices.Delete(d.rows, i, i+1)
	case i < 0:
		d.rows = append(d.rows, vault.Row{Key: key, Seq: seq, Data: data})
	default:
		d.rows[i] = vault.Row{Key: key, Seq: seq, Data: data}
	}
	return d
}

// victim is a vault with something in each kind of row, and every state that it went through.
type victim struct {
	dump
	root    vault.RootKey
	key     string // of its log
	secrets []string
	revoked vault.Token
	counted vault.Token
	history []dump
}

const versionsEach = 2

func (v *victim) value(path string, n int) string { return fmt.Sprintf("value %d of %s", n, path) }

func newVictim(t testing.TB, paths int) *victim {
	t.Helper()
	b := newBed(t)
	v, _ := b.open()
	ctx := context.Background()
	op := v.Operator("keeper")
	d := &victim{root: b.root, key: v.Log().Key()}
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		d.history = append(d.history, dumpOf(t, b.store))
	}
	for i := range paths {
		d.secrets = append(d.secrets, fmt.Sprintf("production/service%d/key", i))
	}
	for n := 1; n <= versionsEach; n++ {
		for _, path := range d.secrets {
			_, err := op.Put(ctx, vault.Item{Path: path, Value: vault.NewSecret(d.value(path, n)), Reason: "first", Metadata: map[string]string{"n": "1"}})
			step(err)
		}
	}
	step(op.SetPolicy(ctx, d.secrets[0], vault.Policy{Type: "api_key", Hosts: []string{"api.example.com"}}, "tighten"))
	counted := mustIssue(t, op, reader(3))
	for range 3 {
		_, _, err := getPath(counted, d.secrets[paths-1])
		step(err)
	}
	bad := mustIssue(t, op, reader(0))
	step(op.Revoke(ctx, linkOf(t, bad), "stolen"))
	step(op.Freeze(ctx, vault.Frozen{Kind: "user", Value: "u812"}, "investigation"))
	_, _, err := op.NewKey(ctx, vault.Key{Name: "worker", Expires: time.Now().Add(time.Hour), Limits: vault.Grant{Scopes: scope.MustParse("secrets:read:*")}}, "")
	step(err)
	keys, err := op.Keys(ctx)
	step(err)
	step(op.Revoke(ctx, keys[0].ID, "gone"))
	d.counted, d.revoked = counted.Token(), bad.Token()
	d.dump = d.history[len(d.history)-1]
	return d
}

// attempt opens a vault on a changed dump and reads every version of every secret. It returns the error of Open, or those
// of the Gets. A value that is not the right one fails the test whatever happened.
func (d *victim) attempt(t testing.TB, name string, changed dump, then func(*vault.Vault)) error {
	t.Helper()
	ctx := context.Background()
	v, err := vault.Open(ctx, vault.Config{Store: changed.store(t), Root: d.root})
	if err != nil {
		return err
	}
	defer func() { _ = v.Close() }()
	var errs []error
	op := v.Operator("keeper")
	for _, path := range d.secrets {
		for n := 1; n <= versionsEach; n++ {
			it, err := op.Get(ctx, vault.Request{Path: path, Version: n})
			if err != nil {
				errs = append(errs, err)
			} else if it.Value.Reveal() != d.value(path, n) {
				t.Errorf("%s: Get(%s, %d) gave %q", name, path, n, it.Value.Reveal())
			}
		}
	}
	if then != nil {
		then(v)
	}
	return errors.Join(errs...)
}

// mustFind fails the test unless the change is found at Open or by the first Get.
func (d *victim) mustFind(t *testing.T, name string, changed dump, also ...error) {
	t.Helper()
	err := d.attempt(t, name, changed, nil)
	for _, want := range append(also, vault.ErrTampered) {
		if errors.Is(err, want) {
			return
		}
	}
	t.Errorf("%s: not found: %v", name, err)
}

// harmless fails the test unless the change is refused or changes nothing that anybody sees.
func (d *victim) harmless(t *testing.T, name string, changed dump) {
	t.Helper()
	err := d.attempt(t, name, changed, func(v *vault.Vault) {
		if err := v.Log().Verify(context.Background()); err != nil && !errors.Is(err, vault.ErrTampered) {
			t.Errorf("%s: verify: %v", name, err)
		}
	})
	for _, fine := range []error{nil, vault.ErrTampered, vault.ErrInvalid, vault.ErrWrongKey} {
		if errors.Is(err, fine) {
			return
		}
	}
	t.Errorf("%s: %v", name, err)
}

// exportOf is an export, even one that the vault would not finish.
func exportOf(v *vault.Vault) (string, error) {
	var b strings.Builder
	err := v.Log().Export(context.Background(), &b)
	return b.String(), err
}

// logFinds says which of the three ways to check the log found that it was changed.
func logFinds(v *vault.Vault, key string) (verify, records, export bool) {
	ctx := context.Background()
	verify = errors.Is(v.Log().Verify(ctx), vault.ErrTampered)
	for _, err := range v.Log().Records(ctx, audit.Filter{}) {
		records = records || errors.Is(err, vault.ErrTampered)
	}
	text, err := exportOf(v)
	if err == nil {
		_, err = audit.Verify(strings.NewReader(text), key)
	}
	return verify, records, err != nil
}
