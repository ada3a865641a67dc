// SPDX-License-Identifier: Apache-2.0

package flips

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// began is when a subject begins. Its clock stands still, but where the script sets it.
var began = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// subject is a small vault with a little of everything, being made.
type subject struct {
	questions
	v   *vault.Vault
	op  *vault.Operator
	now time.Time
	err error
}

func newSubject(ctx context.Context, store vault.Store, root vault.RootKey) *subject {
	s := &subject{now: began, questions: questions{paths: map[string]int{}, bearers: map[string]string{}}}
	s.v, s.err = open(ctx, store, root, func() time.Time { return s.now })
	if s.err == nil {
		s.op = s.v.Operator("maker")
	}
	return s
}

func open(ctx context.Context, store vault.Store, root vault.RootKey, now func() time.Time) (*vault.Vault, error) {
	return vault.Open(ctx, vault.Config{Store: store, Root: root, Now: now})
}

// still is the clock of those who open a subject later.
func still() time.Time { return began.Add(time.Minute) }

// do runs one step, unless one before has failed.
func (s *subject) do(f func() error) {
	if s.err == nil {
		s.err = f()
	}
}

func (s *subject) put(ctx context.Context, path string) {
	s.do(func() (err error) {
		value := vault.NewSecret(fmt.Sprint("value ", s.paths[path]+1, " of ", path))
		s.paths[path], err = s.op.Put(ctx, vault.Item{Path: path, Value: value, Reason: "flips", Metadata: map[string]string{"owner": "team-1"}})
		return err
	})
}

func (s *subject) issue(ctx context.Context, agent string, uses int) (id string) {
	s.do(func() error {
		t, err := s.op.Issue(ctx, vault.Grant{Agent: agent, Scopes: scope.MustParse("secrets:read:*"), TTL: time.Hour, MaxUses: uses})
		if err != nil {
			return err
		}
		claims, err := t.Claims(ctx)
		if err == nil {
			id, s.bearers[agent] = claims[0].ID, t.Token().Reveal()
		}
		return err
	})
	return id
}

func (s *subject) get(ctx context.Context, agent, path string) {
	s.do(func() error {
		_, err := s.v.Session(vault.NewToken(s.bearers[agent]), netip.Addr{}).Get(ctx, vault.Request{Path: path})
		return err
	})
}

const first, second, third = "production/search/key", "production/mail/key", "test/key"

// fill writes what every part of a vault holds: versions, a policy, tokens that are alive, counted, used up, revoked and
// stopped, keys, and a checkpoint.
func (s *subject) fill(ctx context.Context) {
	for _, path := range []string{first, first, second, third, third} {
		s.put(ctx, path)
	}
	s.do(func() error {
		p := vault.Policy{Type: "api_key", Hosts: []string{"api.example.com"}}
		return s.op.SetPolicy(ctx, second, p, "flips")
	})
	s.issue(ctx, "alive", 0)
	s.issue(ctx, "counted", 9)
	s.get(ctx, "counted", first)
	s.issue(ctx, "used", 1)
	s.get(ctx, "used", first)
	revoked := s.issue(ctx, "revoked", 0)
	s.do(func() error { return s.op.Revoke(ctx, revoked, "flips") })
	s.issue(ctx, "stopped", 0)
	s.do(func() error { return s.op.Freeze(ctx, vault.Frozen{Kind: "agent", Value: "stopped"}, "flips") })
	s.do(func() error {
		_, _, err := s.op.NewKey(ctx, vault.Key{Name: "worker", Expires: began.Add(24 * time.Hour), Limits: vault.Grant{Scopes: scope.MustParse("secrets:use:*")}}, "flips")
		return err
	})
	s.do(func() (err error) { s.checkpoint, err = s.v.Log().Checkpoint(ctx); return err })
}

// later is what happens behind the checkpoint, commit by commit.
func (s *subject) later(ctx context.Context) []func() {
	late := ""
	return []func(){
		func() { s.put(ctx, first) },
		func() { s.get(ctx, "counted", first) },
		func() { late = s.issue(ctx, "late", 0) },
		func() { s.do(func() error { return s.op.Revoke(ctx, late, "flips") }) },
		func() { s.do(func() error { return s.op.Delete(ctx, vault.Request{Path: third, Version: 1}) }) },
	}
}

// count sets how many records there are.
func (s *subject) count(ctx context.Context) {
	s.do(func() error {
		checkpoint, err := s.v.Log().Checkpoint(ctx)
		if err == nil {
			_, err = fmt.Sscan(strings.Split(string(checkpoint), "\n")[1], &s.size)
		}
		return err
	})
}

// files is the content of a vault's folder, without its lock.
type files map[string][]byte

func readFiles(dir string) (files, error) {
	f := files{}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "-lock") || strings.HasSuffix(e.Name(), "-shm") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		f[e.Name()] = content
	}
	return f, err
}

// with is f with one file changed, or left out.
func (f files) with(name string, content []byte) files {
	out := maps.Clone(f)
	out[name] = content
	if content == nil {
		delete(out, name)
	}
	return out
}

// write makes the folder hold just these files.
func (f files) write(dir string) error {
	old, err := os.ReadDir(dir)
	for _, e := range old {
		err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
	}
	for name, content := range f {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return err
}

// openIn opens the vault in a folder.
func openIn(ctx context.Context, s kit.Store, dir string, wrap func(vault.Store) vault.Store) (*vault.Vault, error) {
	store, err := s.Open(ctx, filepath.Join(dir, kit.StoreFile))
	if err != nil {
		return nil, err
	}
	return open(ctx, wrap(store), kms.KeyFile(filepath.Join(dir, kit.KeyFile)), still)
}
