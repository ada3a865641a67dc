// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/keyward-go/keyward/scope"
)

const keyLen = 32 // random bytes of an agent key or remote operator

// Key is a credential for another process: an agent key (kw_agent_…), whose session can only Issue, inside Limits; or a
// remote operator (kw_op_…), with full authority under its name. The vault keeps a SHA-256 of its text. It is immutable and
// ends by expiry or by Revoke(ID), with every token that was issued under it.
type Key struct {
	ID       string // "key:" and 32 hex digits, set by the vault
	Name     string
	Operator bool
	// Limits of what an agent key issues: Scopes are needed; TTL is the longest life; MaxUses counts over all its tokens;
	// Agent, Run, User and Tenant, where set, are those of every token (Agent: or below it). For a remote operator only
	// Networks and Description may be set.
	Limits  Grant
	Expires time.Time // whole seconds, at most 366 days away
	Revoked bool      // set by the vault
}

func (c *call) checkKey() error {
	k := c.key
	switch {
	case !isName(k.Name):
		return fmt.Errorf("key: its name has 1 to 64 of A-Z a-z 0-9 _ -")
	case k.ID != "" || k.Revoked:
		return fmt.Errorf("key: ID and Revoked are set by the vault")
	case k.Expires.IsZero():
		return fmt.Errorf("key: it must expire; at most 366 days away")
	case k.Limits.TTL < 0 || k.Limits.TTL > 0 && k.Limits.TTL < time.Second:
		return fmt.Errorf("key: TTL: zero (not limited) or at least a second")
	}
	l := k.Limits
	if k.Operator && (!l.Scopes.IsZero() || l.Agent+l.Run+l.User+l.Tenant != "" || l.MaxUses != 0 || l.TTL != 0) {
		return fmt.Errorf("key: an operator has no limits but networks")
	}
	if !k.Operator && l.Scopes.IsZero() {
		return fmt.Errorf("key: limits need at least one scope")
	}
	return l.check()
}

func decideKey(w view, c *call) (plan, *refusal) {
	if end := c.key.Expires; !end.After(w.now) || end.After(w.now.Add(longestKey)) {
		return plan{}, invalid(fmt.Errorf("key: it must expire within 366 days from now"))
	}
	return plan{}, nil
}

var every = scope.MustParse("secrets:*:*")

func loadKey(_ context.Context, v *core, c *call) error {
	id := newID()
	var secret [keyLen]byte
	_, _ = rand.Read(secret[:]) // never fails
	prefix := prefixAgent
	if c.key.Operator {
		prefix = prefixOp
		c.key.Limits.Scopes = every
	}
	text := encodeText(prefix, secret[:])
	now := v.clock.read()
	issued, _ := now.after(time.Time{})
	r := &keyRow{Name: c.key.Name, Operator: c.key.Operator, Hash: sha256.Sum256([]byte(text)), TTL: c.key.Limits.TTL}
	r.Limits = Link{ID: keyPrefix + id, Issued: truncate(issued), Expires: truncate(c.key.Expires), Grant: c.key.Limits}
	r.Limits.Grant.TTL = 0
	if err := (Claims{}).checkNext(r.Limits); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	shown := keyDetail{Name: r.Name, Operator: r.Operator, Limits: r.Limits.json()}
	shown.Limits.TTL = int64(r.TTL / time.Second)
	var err error
	if c.detail, err = detail(shown); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	c.target, c.keyRow, c.token = r.Limits.ID, r, NewToken(text)
	return nil
}

// keyDetail is a key as its record shows it.
type keyDetail struct {
	Name     string    `json:"name"`
	Operator bool      `json:"operator,omitempty"`
	Limits   grantJSON `json:"limits"`
}

func (r *keyRow) key(id string) Key {
	k := Key{ID: id, Name: r.Name, Operator: r.Operator, Limits: r.Limits.Grant, Expires: r.Limits.Expires, Revoked: r.Revoked}
	k.Limits.TTL = r.TTL
	k.Limits.Networks = slices.Clone(k.Limits.Networks)
	if k.Operator {
		k.Limits.Scopes = scope.Set{}
	}
	return k
}
