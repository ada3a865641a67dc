// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// Work is the calls of a child: each is made, and what it taught is acknowledged the moment it returned. It is safe for
// concurrent use.
type Work struct {
	Name string // of this child's life: part of every id, so that ids are never used twice
	V    *vault.Vault
	Tell func(Ack) // Child.Ack, for a child
	Pad  int       // bytes by which values are longer

	n atomic.Int64

	mu     sync.Mutex
	newest map[string]int // version of what was put, by path
}

// pad makes a value longer. It is not acknowledged.
const pad = "."

func trim(s vault.Secret) string { return strings.TrimRight(s.Reveal(), pad) }

func (w *Work) id() string { return fmt.Sprintf("%s-%d", w.Name, w.n.Add(1)) }

func (w *Work) op() *vault.Operator { return w.V.Operator("harness") }

func (w *Work) ack(a Ack, err error) error {
	w.Tell(Ended(a, err))
	return err
}

// Put stores a new version with a value of its own, as the operator.
func (w *Work) Put(ctx context.Context, path string) error {
	id := w.id()
	value := "value of " + id
	n, err := w.op().Put(ctx, vault.Item{Path: path, Value: vault.NewSecret(value + strings.Repeat(pad, w.Pad)), Reason: id})
	w.mu.Lock()
	if w.newest == nil {
		w.newest = map[string]int{}
	}
	w.newest[path] = max(w.newest[path], n)
	w.mu.Unlock()
	return w.ack(Ack{Op: "put", ID: id, Path: path, Version: n, Value: value}, err)
}

// reader is a session, or the operator.
type reader interface {
	Get(context.Context, vault.Request) (vault.Item, error)
	Use(context.Context, vault.Request, func(vault.Item) error) error
}

func (w *Work) as(bearer string) reader {
	if bearer == "" {
		return w.op()
	}
	return w.V.Session(vault.NewToken(bearer), netip.Addr{})
}

// Get reveals the newest version to the holder of a bearer, or to the operator if it is empty.
func (w *Work) Get(ctx context.Context, bearer, path string) error {
	id := w.id()
	it, err := w.as(bearer).Get(ctx, vault.Request{Path: path, Call: id})
	return w.ack(Ack{Op: "get", ID: id, Path: path, Version: it.Version, Value: trim(it.Value)}, err)
}

// Use is Get through Use.
func (w *Work) Use(ctx context.Context, bearer, path string) error {
	id := w.id()
	a := Ack{Op: "use", ID: id, Path: path}
	err := w.as(bearer).Use(ctx, vault.Request{Path: path, Call: id}, func(it vault.Item) error {
		a.Version, a.Value = it.Version, trim(it.Value)
		return nil
	})
	return w.ack(a, err)
}

// Issue makes a token for every path, good for an hour and for uses (0: not counted).
func (w *Work) Issue(ctx context.Context, uses int) (bearer, link string, err error) {
	s, err := w.op().Issue(ctx, vault.Grant{Agent: "harness", Scopes: scope.MustParse("secrets:read:*"), TTL: time.Hour, MaxUses: uses})
	if err != nil {
		return "", "", w.ack(Ack{Op: "issue"}, err)
	}
	claims, err := s.Claims(ctx)
	if err != nil {
		return "", "", err
	}
	bearer, link = s.Token().Reveal(), claims[0].ID
	return bearer, link, w.ack(Ack{Op: "issue", ID: link, Link: link, Bearer: bearer}, nil)
}

// Delete removes every version.
func (w *Work) Delete(ctx context.Context, path string) error {
	id := w.id()
	return w.ack(Ack{Op: "delete", ID: id, Path: path}, w.op().Delete(ctx, vault.Request{Path: path, Call: id}))
}

// Destroy removes for good the version before the newest that was put here; if there is none it does nothing.
func (w *Work) Destroy(ctx context.Context, path string) error {
	w.mu.Lock()
	n := w.newest[path] - 1
	w.mu.Unlock()
	if n < 1 {
		return nil
	}
	id := w.id()
	return w.ack(Ack{Op: "destroy", ID: id, Path: path, Version: n}, w.op().Destroy(ctx, vault.Request{Path: path, Version: n, Call: id}))
}

// Rotate rotates the keys, and ends what another rotation has begun. Rotations at the same time answer vault.ErrConflict.
func (w *Work) Rotate(ctx context.Context, compromised bool) error {
	id := w.id()
	return w.ack(Ack{Op: "rotate", ID: id}, w.op().RotateKeys(ctx, vault.Rotation{Reason: id, Compromised: compromised}))
}

// Backup backs up to nowhere.
func (w *Work) Backup(ctx context.Context) error {
	id := w.id()
	return w.ack(Ack{Op: "backup", ID: id}, w.op().Backup(ctx, io.Discard, id))
}

// Revoke ends a token.
func (w *Work) Revoke(ctx context.Context, link string) error {
	id := w.id()
	return w.ack(Ack{Op: "revoke", ID: id, Link: link}, w.op().Revoke(ctx, link, id))
}

// Checkpoint has a checkpoint signed, which the log must hold against for ever.
func (w *Work) Checkpoint(ctx context.Context) error {
	text, err := w.V.Log().Checkpoint(ctx)
	return w.ack(Ack{Op: OpCheckpoint, Value: string(text)}, err)
}

// Script makes n calls, always the same ones, one after the other: each of its twelve, then again. No error stops it.
func (w *Work) Script(ctx context.Context, n int) {
	const path = "production/search/key"
	var bearer, link string
	for i := range n {
		switch i % 12 {
		case 0:
			bearer, _, _ = w.Issue(ctx, 3)
		case 1, 4:
			w.Put(ctx, path)
		case 2, 6:
			w.Get(ctx, bearer, path)
		case 3:
			w.Use(ctx, bearer, path)
		case 5:
			w.Destroy(ctx, path)
		case 7:
			_, link, _ = w.Issue(ctx, 0)
		case 8:
			w.Rotate(ctx, i%24 > 12) // the second time all tokens die of it
		case 9:
			w.Get(ctx, bearer, path) // used up
		case 10:
			if link != "" { // there is none if Issue failed
				w.Revoke(ctx, link)
			}
		case 11:
			w.Checkpoint(ctx)
			if i%24 == 23 { // behind every second Checkpoint, beyond n
				w.Backup(ctx)
				w.Delete(ctx, path)
			}
		}
	}
}
