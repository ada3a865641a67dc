// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"errors"
	"net/netip"
	"time"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// card is a token and what the oracle knows of it.
type card struct {
	name, id string
	bearer   vault.Token
	expires  time.Time
	dead     bool // it was refused once, so it is never granted again
}

// deal issues the tokens of a case, at noon.
func (b *bed) deal() error {
	op := b.vaults[0].Operator("clock")
	if _, err := op.Put(b.ctx, vault.Item{Path: path, Value: vault.NewSecret("value")}); err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		ttl  time.Duration
		uses int
	}{{"short", time.Minute, 0}, {"hour", time.Hour, 0}, {"day", 24 * time.Hour, 0}, {"used up", 24 * time.Hour, 1}, {"revoked", 24 * time.Hour, 0}} {
		if err := b.issue(op, c.name, c.ttl, c.uses); err != nil {
			return err
		}
	}
	day, used, revoked := b.cards[2], b.cards[3], b.cards[4]
	narrow, err := b.vaults[0].Session(day.bearer, netip.Addr{}).Issue(b.ctx, vault.Grant{TTL: 30 * time.Minute})
	if err != nil {
		return err
	}
	_, err = b.vaults[0].Session(used.bearer, netip.Addr{}).Get(b.ctx, vault.Request{Path: path})
	if err = errors.Join(err, op.Revoke(b.ctx, revoked.id, "clock")); err != nil {
		return err
	}
	used.dead, revoked.dead = true, true
	return b.add("narrowed", narrow)
}

func (b *bed) issue(op *vault.Operator, name string, ttl time.Duration, uses int) error {
	s, err := op.Issue(b.ctx, vault.Grant{Agent: "clock", Scopes: scope.MustParse("secrets:read:*"), TTL: ttl, MaxUses: uses})
	if err != nil {
		return err
	}
	return b.add(name, s)
}

func (b *bed) add(name string, s *vault.Session) error {
	claims, err := s.Claims(b.ctx)
	if err != nil {
		return err
	}
	end := claims[0].Expires
	for _, l := range claims {
		if !l.Expires.IsZero() && l.Expires.Before(end) {
			end = l.Expires
		}
	}
	b.cards = append(b.cards, &card{name: name, id: claims[len(claims)-1].ID, bearer: s.Token(), expires: end})
	return nil
}
