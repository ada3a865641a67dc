// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/keyward-go/keyward/scope"
)

const (
	maxBlocks  = 8
	keyPrefix  = "key:"
	idHex      = 32
	yearLimit  = 253402300799 // end of the year 9999, in Unix seconds
	dotAndHex  = 1 + idHex
	longestID  = len(keyPrefix) + maxBlocks*dotAndHex
	tokenLimit = 4 << 10
)

func isHexID(s string) bool {
	if len(s) != idHex || strings.ToLower(s) != s {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}

// byKey reports whether the first link is an agent key or remote operator.
func (c Claims) byKey() bool { return len(c) > 0 && strings.HasPrefix(c[0].ID, keyPrefix) }

func (c Claims) last() Link { return c[len(c)-1] }

// first is the index of the grant itself, behind the key that asked for it.
func (c Claims) first() int {
	if c.byKey() {
		return 1
	}
	return 0
}

// Agent returns the full name under which the token acts. Empty: the claims are those of a key that leaves it open.
func (c Claims) Agent() string {
	for i := len(c) - 1; i >= 0; i-- {
		if c[i].Grant.Agent != "" {
			return c[i].Grant.Agent
		}
	}
	return ""
}

// Grant returns the link of the grant itself: the first, or the second behind the key that asked for it. A key alone has none.
func (c Claims) Grant() (l Link, ok bool) {
	if i := c.first(); i < len(c) {
		return c[i], true
	}
	return Link{}, false
}

// Expires returns the moment at which the first of the links ends. A vault whose Config.MaxTTL has become shorter since ends a token
// sooner. Zero: no link says an end.
func (c Claims) Expires() (end time.Time) {
	for _, l := range c {
		if !l.Expires.IsZero() && (end.IsZero() || l.Expires.Before(end)) {
			end = l.Expires
		}
	}
	return end
}

// endsBy is the moment at which the chain is dead, if no life is longer than max.
func (c Claims) endsBy(max time.Duration) time.Time {
	end := c.Expires()
	if g, ok := c.Grant(); ok && g.Issued.Add(max).Before(end) {
		end = g.Issued.Add(max)
	}
	return end
}

// allows reports whether every link consents.
func (c Claims) allows(a scope.Action, path string) bool {
	for i := range c {
		if s := c[i].Grant.Scopes; !s.Allows(a, path) && !(i > c.first() && s.IsZero()) {
			return false
		}
	}
	return len(c) > 0
}

// from reports whether every link consents to a caller at addr.
func (c Claims) from(addr netip.Addr) bool {
	for i := range c {
		if !inside(c[i].Grant.Networks, addr) {
			return false
		}
	}
	return true
}

func inside(networks []netip.Prefix, addr netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(addr) {
			return true
		}
	}
	return len(networks) == 0
}

// covers reports whether every address of n is in one of the grant's networks.
func covers(g Grant, n netip.Prefix) bool {
	for _, own := range g.Networks {
		if own.Bits() <= n.Bits() && own.Contains(n.Addr()) {
			return true
		}
	}
	return len(g.Networks) == 0
}

// check refuses claims that keyward could not have made, whichever TokenIssuer they come from. It holds the rules of
// what a link may be inside the one above it, so that no issuer and no caller can forget them.
func (c Claims) check() error {
	if len(c) == 0 || len(c) > maxBlocks {
		return fmt.Errorf("a token has 1 to %d links", maxBlocks)
	}
	if c.first() >= len(c) {
		return fmt.Errorf("a key is not a token")
	}
	for i, l := range c {
		if err := c[:i].checkNext(l); err != nil {
			return err
		}
	}
	return nil
}

// checkNext says whether l may stand behind the links of c.
func (c Claims) checkNext(l Link) error {
	g := l.Grant
	if err := g.check(); err != nil {
		return err
	}
	id := l.ID
	if len(c) == 0 {
		id = strings.TrimPrefix(id, keyPrefix)
	} else {
		var ok bool
		if id, ok = strings.CutPrefix(id, c.last().ID+"."); !ok {
			return fmt.Errorf("link id is not below its parent's")
		}
	}
	if !isHexID(id) {
		return fmt.Errorf("link id is not %d hex digits", idHex)
	}
	if g.TTL != 0 || l.Opening != "" && !isHexID(l.Opening) || !wholeSecond(l.Issued) || !wholeSecond(l.Expires) {
		return fmt.Errorf("link with a life that is not whole seconds")
	}
	if !l.Expires.IsZero() && !l.Expires.After(l.Issued) {
		return fmt.Errorf("link expires before it is issued")
	}
	isKey := len(c) == 0 && strings.HasPrefix(l.ID, keyPrefix)
	isGrant := !isKey && len(c) == c.first()
	switch {
	case (isKey || isGrant) && (g.Scopes.IsZero() || l.Issued.IsZero() || l.Expires.IsZero()):
		return fmt.Errorf("a grant needs scopes and a life")
	case isGrant && g.Agent == "":
		return fmt.Errorf("a grant needs an agent")
	case isGrant:
		return c.checkLimits(g)
	case !isKey:
		return c.checkNarrowing(l)
	}
	return nil
}

// checkLimits holds a grant against the names that its agent key fixes.
func (c Claims) checkLimits(g Grant) error {
	if len(c) == 0 {
		return nil
	}
	k := c[0].Grant
	if k.Agent != "" && !below(g.Agent, k.Agent) || k.Run != "" && g.Run != k.Run ||
		k.User != "" && g.User != k.User || k.Tenant != "" && g.Tenant != k.Tenant {
		return fmt.Errorf("the key fixes agent, run, user or tenant")
	}
	return nil
}

func (c Claims) checkNarrowing(l Link) error {
	top, g := c[c.first()].Grant, l.Grant
	if g.Agent != "" && (g.Agent == c.Agent() || !below(g.Agent, c.Agent())) {
		return fmt.Errorf("%w: it may only append to the agent: %s/name", errWidens, c.Agent())
	}
	if g.Run != "" && g.Run != top.Run || g.User != "" && g.User != top.User || g.Tenant != "" && g.Tenant != top.Tenant {
		return fmt.Errorf("%w: it may only repeat run, user and tenant", errWidens)
	}
	if g.Scopes.IsZero() && l.Expires.IsZero() && l.Opening == "" && g.Agent == "" && g.Run == "" && g.User == "" &&
		g.Tenant == "" && g.Description == "" && g.MaxUses == 0 && len(g.Networks) == 0 {
		return fmt.Errorf("a narrowing must narrow something")
	}
	return nil
}

func wholeSecond(t time.Time) bool {
	return t.IsZero() || t.Nanosecond() == 0 && t.Location() == time.UTC && t.Unix() > 0 && t.Unix() <= yearLimit
}

func truncate(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
