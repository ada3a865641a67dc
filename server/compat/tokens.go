// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

type tokenBody struct {
	Scopes      []string       `json:"scopes"`
	Scope       string         `json:"scope"`
	TTL         jsontext.Value `json:"ttl"`
	TTLSeconds  *int64         `json:"ttl_seconds"`
	MaxUses     *int           `json:"max_uses"`
	IPAllowlist []string       `json:"ip_allowlist"`
	AllowedIPs  []string       `json:"allowed_ips"`
	Description string         `json:"description"`
	Reason      string         `json:"reason"`
}

// token is a token in an answer, with the names of both generations of the vendor's documentation.
type token struct {
	Token     string   `json:"token"`
	Value     string   `json:"value"`
	TokenID   string   `json:"token_id"`
	ExpiresAt string   `json:"expires_at"`
	Scopes    []string `json:"scopes"`
	Scope     string   `json:"scope"`
	AgentID   string   `json:"agent_id"`
}

// issue gives a token: within the limits of an agent key, narrowed from a token, or an operator's grant.
func (q *request) issue() (any, error) {
	var in tokenBody
	if err := q.body(&in); err != nil {
		return nil, err
	}
	g, err := in.grant()
	if err != nil {
		return nil, err
	}
	if in.Scope != "" {
		in.Scopes = append(in.Scopes, in.Scope)
	}
	if q.by.IsOp {
		k, _, err := q.operator()
		if err != nil {
			return nil, err
		}
		g.Agent = k.Name
	}
	if err := q.fit(&g, in.Scopes); err != nil {
		return nil, err
	}
	s, err := q.by.Door().Issue(q.Context(), g)
	if err != nil {
		return nil, err
	}
	claims, err := s.Claims(q.Context())
	if err != nil {
		return nil, err
	}
	out := token{Token: s.Token().Reveal(), TokenID: claims[len(claims)-1].ID, ExpiresAt: stamp(claims.Expires()), AgentID: claims.Agent()}
	out.Value, out.Scopes = out.Token, strings.Fields(own(claims).String())
	out.Scope = strings.Join(out.Scopes, " ")
	return out, nil
}

// fit gives g the scopes that are asked for, as they are within the claims of the bearer, and their end.
func (q *request) fit(g *vault.Grant, asked []string) error {
	claims, err := q.by.Door().Claims(q.Context())
	if err != nil {
		return err
	}
	if _, narrows := claims.Grant(); narrows && time.Now().Add(g.TTL).After(claims.Expires()) {
		g.TTL = 0 // as long as the token that asks: the SDK asks for an hour, whatever that has left
	}
	g.Scopes, err = granted(asked, own(claims))
	return err
}

func (b tokenBody) grant() (g vault.Grant, err error) {
	switch {
	case b.Scope != "" && len(b.Scopes) > 0:
		return g, front.Malformed("scope and scopes are one thing: send one of the two")
	case len(b.TTL) > 0 && b.TTLSeconds != nil:
		return g, front.Malformed("ttl and ttl_seconds are one thing: send one of the two")
	case b.MaxUses != nil && *b.MaxUses == 0: // of the vault it would mean not limited
		return g, front.Malformed("max_uses: a number from 1; leave it out for a token whose uses are not limited")
	case b.MaxUses != nil:
		g.MaxUses = *b.MaxUses
	}
	if g.TTL, err = ttl(b.TTL, b.TTLSeconds); err != nil {
		return g, err
	}
	g.Description = cmp.Or(b.Description, b.Reason)
	for _, text := range slices.Concat(b.IPAllowlist, b.AllowedIPs) {
		n, err := netip.ParsePrefix(text)
		if a, bad := netip.ParseAddr(text); bad == nil && a.Zone() == "" {
			n, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return g, front.Malformed("ip_allowlist: addresses, as 203.0.113.7, or networks, as 10.1.0.0/16")
		}
		g.Networks = append(g.Networks, n)
	}
	return g, nil
}

const maxTTL = 366 * 24 * time.Hour // the vault allows less

// ttl reads a duration: "15m" of the SDK, 900 of the CLI, ttl_seconds of the older documentation, an hour if there is none.
func ttl(value jsontext.Value, seconds *int64) (time.Duration, error) {
	text, unit := "", time.Second
	switch value.Kind() {
	case '"':
		units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
		b, _ := jsontext.AppendUnquote(nil, value) // it was parsed
		if len(b) > 0 {
			unit, text = units[b[len(b)-1]], string(b[:len(b)-1])
		}
	case '0':
		text = string(value)
	default: // null, which the vendor does not send either, is refused
		switch {
		case len(value) > 0:
		case seconds == nil:
			return time.Hour, nil
		default:
			text = strconv.FormatInt(*seconds, 10)
		}
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 || unit == 0 || n > uint64(maxTTL/unit) {
		return 0, front.Malformed("ttl: a number of seconds, as 900, or text with s, m, h or d, as \"15m\"")
	}
	return unit * time.Duration(n), nil
}

// own is what the last link that says scopes says; of an operator everything.
func own(claims vault.Claims) scope.Set {
	for _, l := range slices.Backward(claims) {
		if !l.Grant.Scopes.IsZero() {
			return l.Grant.Scopes
		}
	}
	return scope.Set{}
}
