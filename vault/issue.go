// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

var errWidens = errors.New("the grant is wider than may be given")

func (c *call) checkIssue() error {
	g := *c.grant
	if g.TTL != 0 && g.TTL < time.Second {
		return fmt.Errorf("TTL: at least a second")
	}
	return g.check()
}

// decideIssue says whether the caller may give the grant. That no token ever does more than its links allow does not rest
// on it.
func decideIssue(w view, c *call) (plan, *refusal) {
	l, err := c.link(w, strings.Repeat("0", idHex))
	switch {
	case errors.Is(err, errWidens):
		return plan{}, widens(err)
	case err != nil:
		return plan{}, invalid(err)
	}
	if !l.Expires.IsZero() && !w.now.Before(l.Expires) {
		return plan{}, expired
	}
	return plan{}, nil
}

// link makes the link that the call adds to the caller's own.
func (c *call) link(w view, id string) (l Link, err error) {
	base, g := c.who.claims, *c.grant
	if len(base) > base.first() {
		l, err = base.narrowing(id, g, w.now)
	} else {
		l, err = base.granting(id, g, w, c.spawn)
	}
	if err != nil {
		return Link{}, err
	}
	if c.spawn {
		l.Opening = w.v.opening
	}
	return l, base.checkNext(l)
}

// granting makes the first grant of a token, by an operator or within the limits of an agent key.
func (c Claims) granting(id string, g Grant, w view, spawn bool) (Link, error) {
	limit := w.v.maxTTL
	if len(c) > 0 {
		k := w.key(c[0].ID)
		if k == nil {
			return Link{}, errWidens
		}
		if k.TTL > 0 {
			limit = min(limit, k.TTL)
		}
		limit = min(limit, k.Limits.Expires.Sub(truncate(w.now)))
		own := k.Limits.Grant
		g.Agent, g.Run, g.User, g.Tenant = or(g.Agent, own.Agent), or(g.Run, own.Run), or(g.User, own.User), or(g.Tenant, own.Tenant)
	}
	if spawn && g.TTL == 0 {
		g.TTL = limit
	}
	switch {
	case g.Scopes.IsZero():
		return Link{}, fmt.Errorf("scopes: a grant needs at least one")
	case g.Agent == "":
		return Link{}, fmt.Errorf("agent: a grant needs one")
	case g.TTL == 0:
		return Link{}, fmt.Errorf("TTL: a grant needs one, of a second to %s", limit)
	case g.TTL > limit:
		return Link{}, fmt.Errorf("%w: TTL: at most %s, by Config.MaxTTL or the limits of the key", errWidens, limit)
	}
	l, err := newLink(id, g, w.now)
	if err == nil && len(c) > 0 {
		err = c[0].Grant.admits(l.Grant)
		if err == nil && c.checkLimits(l.Grant) != nil {
			err = fmt.Errorf("%w: the key fixes agent, run, user or tenant", errWidens)
		}
		l.ID = c[0].ID + "." + id
	}
	return l, err
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// admits says what in g goes beyond the receiver.
func (parent Grant) admits(g Grant) error {
	if missing, ok := parent.Scopes.Covers(g.Scopes); !ok && !parent.Scopes.IsZero() {
		return fmt.Errorf("%w: for example %s is not covered", errWidens, missing)
	}
	if parent.MaxUses > 0 && g.MaxUses > parent.MaxUses {
		return fmt.Errorf("%w: max uses %d is more than %d", errWidens, g.MaxUses, parent.MaxUses)
	}
	for _, n := range g.Networks {
		if !covers(parent, n) {
			return fmt.Errorf("%w: network %s is not inside", errWidens, n)
		}
	}
	return nil
}

func loadIssue(ctx context.Context, v *core, c *call) error {
	id := newID()
	var l Link
	var err error
	v.look(func(w view) { l, err = c.link(w, id) })
	if err != nil {
		return err
	}
	if c.detail, err = detail(l.json()); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	c.target = l.ID
	c.claims = append(c.who.claims.clone(), l)
	if err := c.claims.check(); err != nil {
		return err
	}
	if c.token, err = v.issuer.Issue(ctx, c.claims.clone()); err != nil || v.builtin {
		return err
	}
	got, err := v.issuer.Verify(ctx, c.token)
	if err == nil && !reflect.DeepEqual(got, c.claims) {
		err = errors.New("the TokenIssuer does not verify what it issues")
	}
	return err
}
