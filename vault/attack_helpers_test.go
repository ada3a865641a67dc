// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// attackRoot is a root key of one byte, repeated.
type attackRoot byte

func (r attackRoot) aead() cipher.AEAD {
	block, _ := aes.NewCipher(bytes.Repeat([]byte{byte(r)}, 32))
	a, _ := cipher.NewGCMWithRandomNonce(block)
	return a
}

func (r attackRoot) EncryptWithContext(_ context.Context, plaintext, data []byte) ([]byte, error) {
	return r.aead().Seal(nil, nil, plaintext, data), nil
}

func (r attackRoot) DecryptWithContext(_ context.Context, c, data []byte) ([]byte, error) {
	b, err := r.aead().Open(nil, nil, c, data)
	if err != nil {
		return nil, vault.ErrWrongKey
	}
	return b, nil
}

// attackClock is a wall clock that the test turns.
type attackClock struct{ seconds atomic.Int64 }

func (c *attackClock) now() time.Time {
	return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(c.seconds.Load()) * time.Second)
}

func (c *attackClock) add(d time.Duration) { c.seconds.Add(int64(d / time.Second)) }

// attacked is a vault under attack: its store can be looked into, its clock be turned.
type attacked struct {
	t     testing.TB
	v     *vault.Vault
	op    *vault.Operator
	store *memory.Store
	clock *attackClock
}

const (
	attackPath  = "production/search/key"
	attackOther = "production/mail/key"
	attackValue = "tvly-canary-2c41"
)

// attack opens a vault with a value at attackPath and another at attackOther.
func attack(t testing.TB) *attacked {
	t.Helper()
	return attackWith(t, vault.Config{})
}

func attackWith(t testing.TB, cfg vault.Config) *attacked {
	t.Helper()
	a := &attacked{t: t, store: memory.New(), clock: &attackClock{}}
	a.v = a.open(cfg)
	a.op = a.v.Operator("admin")
	for _, path := range []string{attackPath, attackOther} {
		if _, err := a.op.Put(t.Context(), vault.Item{Path: path, Value: vault.NewSecret(attackValue)}); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// unclosed lets several vaults share a store, as processes do.
type unclosed struct{ vault.Store }

func (unclosed) Close() error { return nil }

// open is another process at the same store.
func (a *attacked) open(cfg vault.Config) *vault.Vault {
	a.t.Helper()
	cfg.Store, cfg.Root = unclosed{a.store}, attackRoot(1)
	if cfg.Now == nil {
		cfg.Now = a.clock.now
	}
	v, err := vault.Open(context.Background(), cfg)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		if err := v.Close(); err != nil {
			a.t.Error(err)
		}
	})
	return v
}

func (a *attacked) issue(g vault.Grant) *vault.Session {
	a.t.Helper()
	if g.Agent == "" {
		g.Agent = "researcher"
	}
	if g.Scopes.IsZero() {
		g.Scopes = scope.MustParse("secrets:*:*")
	}
	if g.TTL == 0 {
		g.TTL = 24 * time.Hour
	}
	s, err := a.op.Issue(context.Background(), g)
	if err != nil {
		a.t.Fatal(err)
	}
	return s
}

func (a *attacked) newKey(k vault.Key) (cred vault.Token, id string) {
	a.t.Helper()
	if k.Name == "" {
		k.Name = "worker"
	}
	if k.Expires.IsZero() {
		k.Expires = a.clock.now().Add(48 * time.Hour)
	}
	if !k.Operator && k.Limits.Scopes.IsZero() {
		k.Limits.Scopes = scope.MustParse("secrets:*:production/search/*")
	}
	_, cred, err := a.op.NewKey(context.Background(), k, "")
	if err != nil {
		a.t.Fatal(err)
	}
	return cred, a.records(audit.Filter{Op: "key", Outcome: audit.Granted}, -1)[0].Target
}

// size is how many records there are.
func (a *attacked) size() int64 {
	for n := int64(0); ; {
		lines, err := a.store.Lines(context.Background(), n, 1<<20)
		if err != nil {
			a.t.Fatal(err)
		}
		if n += int64(len(lines)); len(lines) == 0 {
			return n
		}
	}
}

// records are those that f selects; with last < 0, the last -last of them.
func (a *attacked) records(f audit.Filter, last int) (out []audit.Record) {
	a.t.Helper()
	for r, err := range a.v.Log().Records(context.Background(), f) {
		if err != nil {
			a.t.Fatal(err)
		}
		out = append(out, r)
	}
	if last < 0 && len(out) > -last {
		out = out[len(out)+last:]
	}
	return out
}

// rows is all that the store holds but the head and the log.
func (a *attacked) rows() string {
	rows, err := a.store.Rows(context.Background(), "", 1<<20)
	if err != nil {
		a.t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range rows {
		if r.Key != "head" {
			b.WriteString(r.Key + " " + string(r.Data) + "\n")
		}
	}
	return b.String()
}

// try is one line of a table: what is asked, and what must come of it.
type try struct {
	name, op string
	do       func() error
	err      error  // nil: granted
	cause    string // of the record; "-": there is none
}

func allow(name, op string, do func() error) try { return try{name: name, op: op, do: do} }

func deny(name, op string, err error, cause string, do func() error) try {
	return try{name, op, do, err, cause}
}

// run tries them one after the other, a second apart. Each must end as its line says, leave one record that says so too,
// and, if it was refused, leave every row of the store as it was. One grant must be among them.
func (a *attacked) run(tries ...try) {
	a.t.Helper()
	first, granted := a.size(), 0
	var recorded []try
	before := a.rows()
	for _, c := range tries {
		a.clock.add(time.Second)
		err := c.do()
		switch {
		case c.err == nil && err != nil:
			a.t.Errorf("%s: %s: refused: %v", c.name, c.op, err)
		case c.err != nil && !errors.Is(err, c.err):
			a.t.Errorf("%s: %s: got %v, want %v", c.name, c.op, err, c.err)
		case c.err != nil && (strings.Contains(err.Error(), attackValue) || strings.Contains(err.Error(), "\n")):
			a.t.Errorf("%s: %s: the error says too much: %q", c.name, c.op, err)
		}
		after := a.rows()
		if c.err != nil && after != before {
			a.t.Errorf("%s: %s: refused, but the store has changed", c.name, c.op)
		}
		before = after
		if c.err == nil {
			granted++
		}
		if c.cause != "-" {
			recorded = append(recorded, c)
		}
	}
	records := a.records(audit.Filter{Since: first}, 0)
	if len(records) != len(recorded) {
		a.t.Fatalf("%d records of %d tries", len(records), len(recorded))
	}
	for i, r := range records {
		c, want := recorded[i], audit.Granted
		if c.err != nil {
			want = audit.Denied
		}
		if r.Op != c.op || r.Outcome != want || c.cause != "" && r.Cause != c.cause {
			a.t.Errorf("%s: recorded as %s %s %q, want %s %s %q", c.name, r.Op, r.Outcome, r.Cause, c.op, want, c.cause)
		}
	}
	if granted == 0 {
		a.t.Error("the table allows nothing, so it proves nothing")
	}
}

// door is what Session and Operator have in common.
type door interface {
	Put(context.Context, vault.Item) (int, error)
	Get(context.Context, vault.Request) (vault.Item, error)
	Use(context.Context, vault.Request, func(vault.Item) error) error
	Delete(context.Context, vault.Request) error
	List(context.Context, vault.Request) ([]vault.Item, error)
	Versions(context.Context, vault.Request) ([]vault.Item, error)
	Issue(context.Context, vault.Grant) (*vault.Session, error)
	Spawn(context.Context, vault.Grant, func(context.Context, *vault.Session) error) error
	Revoke(ctx context.Context, id, reason string) error
	Claims(context.Context) (vault.Claims, error)
	Token() vault.Token
}

func getting(s door, path string) func() error {
	return func() error { return attackGet(s, path) }
}

func attackGet(s door, path string) error {
	it, err := s.Get(context.Background(), vault.Request{Path: path})
	if (it.Value.Reveal() == attackValue) != (err == nil) {
		return errors.Join(err, errors.New("value and error do not fit"))
	}
	return err
}

var attackHome = netip.MustParseAddr("10.1.2.3")
