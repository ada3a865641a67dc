// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// The tags "about" and "enum" are for openapi.json. What has no omitzero is required there.
type grant struct {
	Agent       string   `json:"agent,omitzero" about:"Who acts: names joined by slashes, 128 bytes at most. A narrowing may only append, as in researcher/summariser."`
	Run         string   `json:"run,omitzero" about:"The run it belongs to: a name of 1 to 64 of A-Z a-z 0-9 _ -"`
	User        string   `json:"user,omitzero" about:"For whom: a name, as run is."`
	Tenant      string   `json:"tenant,omitzero" about:"For which tenant: a name, as run is."`
	Description string   `json:"description,omitzero" about:"Free text, 256 bytes at most."`
	Scopes      []string `json:"scopes,omitzero" about:"What it may do, as in secrets:read:production/*. In a narrowing, none changes nothing."`
	TTL         int64    `json:"ttl_seconds,omitzero" about:"How long it lives, in seconds. In a narrowing, zero changes nothing."`
	MaxUses     int      `json:"max_uses,omitzero" about:"How often it may be used. Zero: without a limit of its own."`
	Networks    []string `json:"networks,omitzero" about:"Where it may be used from, as in 10.0.0.0/8, 16 at most. None: from everywhere."`
}

func (g grant) grant() (out vault.Grant, err error) {
	out = vault.Grant{Agent: g.Agent, Run: g.Run, User: g.User, Tenant: g.Tenant, Description: g.Description, MaxUses: g.MaxUses}
	if out.TTL, err = seconds(g.TTL); err != nil {
		return out, err
	}
	if len(g.Scopes) > 0 {
		if out.Scopes, err = scope.Parse(g.Scopes...); err != nil {
			return out, front.Malformed("%w", err)
		}
	}
	out.Networks, err = prefixes(g.Networks)
	return out, err
}

type issued struct {
	Token   string `json:"token" about:"The bearer. It is shown here only."`
	ID      string `json:"id" about:"What revoke takes, and records name."`
	Agent   string `json:"agent" about:"Who acts with it."`
	Expires string `json:"expires" about:"When it ends: RFC 3339."`
}

func issue(ctx context.Context, c front.Door, in grant) (out issued, err error) {
	g, err := in.grant()
	if err != nil {
		return out, err
	}
	s, err := c.Issue(ctx, g)
	if err != nil {
		return out, err
	}
	links, err := s.Claims(ctx)
	if err != nil {
		return out, err
	}
	out.Token = s.Token().Reveal()
	out.ID, out.Agent, out.Expires = links[len(links)-1].ID, links.Agent(), stamp(links.Expires())
	return out, nil
}

type target struct {
	ID     string `json:"id" about:"Of the token or key, as issue, claims, tokens and keys show it."`
	Reason string `json:"reason,omitzero" about:"Why, for the record: 1 KiB at most."`
}

func revoke(ctx context.Context, c front.Door, in target) (done, error) {
	return done{}, c.Revoke(ctx, in.ID, in.Reason)
}
