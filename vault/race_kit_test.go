// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"github.com/hashicorp/go-kms-wrapping/v2/aead"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// bed is one store on which a test opens one vault or several, which then act as processes do.
type bed struct {
	t     testing.TB
	store *memory.Store
	root  vault.RootKey
}

const bedPath = "production/search/key"

func newBed(t testing.TB) *bed {
	t.Helper()
	return &bed{t, memory.New(), seededRoot(t, 1)}
}

// seededRoot is a root key of 32 bytes that are all the same.
func seededRoot(t testing.TB, seed byte) vault.RootKey {
	t.Helper()
	return kms.Wrapper(testWrapper(t, seed))
}

func testWrapper(t testing.TB, seed byte) wrapping.Wrapper {
	t.Helper()
	w, err := seedWrapper(seed)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func seedWrapper(seed byte) (wrapping.Wrapper, error) {
	return keyedWrapper(bytes.Repeat([]byte{seed}, 32))
}

func keyedWrapper(key []byte) (wrapping.Wrapper, error) {
	w := aead.NewWrapper()
	_, err := w.SetConfig(context.Background(), wrapping.WithKeyId(fmt.Sprintf("key-%x", key[0])))
	return w, errors.Join(err, w.SetAesGcmKeyBytes(key))
}

// open opens a vault of its own on the store, behind a tap. It is closed with the test, the store is not.
func (b *bed) open(change ...func(*vault.Config)) (*vault.Vault, *tap) {
	b.t.Helper()
	p := &tap{Store: b.store}
	cfg := vault.Config{Store: p, Root: b.root}
	for _, f := range change {
		f(&cfg)
	}
	v, err := vault.Open(context.Background(), cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = v.Close() })
	return v, p
}

// tap is a store whose calls a test watches and breaks. Its Close leaves the store open to others.
type tap struct {
	vault.Store
	mu       sync.Mutex
	onUpdate func(next func() error) error
	onRows   func(from string) error
}

func (p *tap) Close() error { return nil }

// atUpdate puts f around every Update: what f does before next happens before the lock is taken.
func (p *tap) atUpdate(f func(next func() error) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onUpdate = f
}

// onceBefore runs f before the next Update.
func (p *tap) onceBefore(f func()) {
	p.atUpdate(func(next func() error) error {
		p.atUpdate(nil)
		f()
		return next()
	})
}

func (p *tap) atRows(f func(from string) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onRows = f
}

func (p *tap) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	p.mu.Lock()
	f := p.onUpdate
	p.mu.Unlock()
	next := func() error { return p.Store.Update(ctx, since, fn) }
	if f == nil {
		return next()
	}
	return f(next)
}

func (p *tap) Rows(ctx context.Context, from string, n int) ([]vault.Row, error) {
	p.mu.Lock()
	f := p.onRows
	p.mu.Unlock()
	if f != nil {
		if err := f(from); err != nil {
			return nil, err
		}
	}
	return p.Store.Rows(ctx, from, n)
}

func mustPut(t testing.TB, s interface {
	Put(context.Context, vault.Item) (int, error)
}, path, value string) int {
	t.Helper()
	n, err := s.Put(context.Background(), vault.Item{Path: path, Value: vault.NewSecret(value)})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func mustIssue(t testing.TB, s interface {
	Issue(context.Context, vault.Grant) (*vault.Session, error)
}, g vault.Grant) *vault.Session {
	t.Helper()
	if g.TTL == 0 {
		g.TTL = time.Hour
	}
	child, err := s.Issue(context.Background(), g)
	if err != nil {
		t.Fatal(err)
	}
	return child
}

// reader is a grant that reads everything.
func reader(uses int) vault.Grant {
	return vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:*"), TTL: time.Hour, MaxUses: uses}
}

// at is the same bearer in another vault, which stands for another process.
func at(v *vault.Vault, s *vault.Session) *vault.Session {
	return v.Session(s.Token(), netip.Addr{})
}

func linkOf(t testing.TB, s *vault.Session) string {
	t.Helper()
	c, err := s.Claims(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c[len(c)-1].ID
}

type getter interface {
	Get(context.Context, vault.Request) (vault.Item, error)
}

func getPath(s getter, path string) (string, int, error) {
	it, err := s.Get(context.Background(), vault.Request{Path: path})
	return it.Value.Reveal(), it.Version, err
}

// wantRefused checks that a Get gives that error and no value.
func wantRefused(t testing.TB, s getter, path string, want error) {
	t.Helper()
	if value, _, err := getPath(s, path); !errors.Is(err, want) || value != "" {
		t.Errorf("Get gave %q, %v, want %v and nothing", value, err, want)
	}
}

func wantValue(t testing.TB, s getter, path, want string, version int) {
	t.Helper()
	if value, n, err := getPath(s, path); err != nil || value != want || n != version {
		t.Errorf("Get gave %q, version %d, %v; want %q, version %d", value, n, err, want, version)
	}
}

// logOf reads and checks all records that fit.
func logOf(t testing.TB, v *vault.Vault, f audit.Filter) (out []audit.Record) {
	t.Helper()
	for r, err := range v.Log().Records(context.Background(), f) {
		if err != nil {
			t.Fatalf("records: %v", err)
		}
		out = append(out, r)
	}
	return out
}

// wantLast checks outcome and cause of the newest record that fits.
func wantLast(t testing.TB, v *vault.Vault, f audit.Filter, outcome audit.Outcome, cause string) {
	t.Helper()
	records := logOf(t, v, f)
	if len(records) == 0 {
		t.Fatalf("no record of %+v", f)
	}
	if r := records[len(records)-1]; r.Outcome != outcome || r.Cause != cause {
		t.Errorf("the last record is %s %q, want %s %q: %s", r.Outcome, r.Cause, outcome, cause, r)
	}
}

func verifies(t testing.TB, v *vault.Vault) {
	t.Helper()
	if err := v.Log().Verify(context.Background()); err != nil {
		t.Errorf("the log does not verify: %v", err)
	}
}
