// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"strings"
	"time"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

type nothing struct{}

// link is a vault.Link in a body.
type link struct {
	ID      string `json:"id" about:"What revoke takes, and records name."`
	Issued  string `json:"issued" about:"RFC 3339."`
	Expires string `json:"expires" about:"RFC 3339; empty in a narrowing that does not shorten the life."`
	Grant   grant  `json:"grant" about:"What this link allows."`
}

func linkOf(l vault.Link) link {
	return link{l.ID, stamp(l.Issued), stamp(l.Expires), grantOf(l.Grant)}
}

func grantOf(g vault.Grant) grant {
	out := grant{
		Agent: g.Agent, Run: g.Run, User: g.User, Tenant: g.Tenant, Description: g.Description,
		TTL: int64(g.TTL / time.Second), MaxUses: g.MaxUses, Scopes: strings.Fields(g.Scopes.String()),
	}
	for _, n := range g.Networks {
		out.Networks = append(out.Networks, n.String())
	}
	return out
}

type links struct {
	Links []link `json:"links" about:"The oldest first. What the token may do is what every link allows."`
}

func claims(ctx context.Context, c front.Door, _ nothing) (links, error) {
	all, err := c.Claims(ctx)
	if err != nil {
		return links{}, front.RefusalOf(err)
	}
	out := links{make([]link, 0, len(all))}
	for _, l := range all {
		out.Links = append(out.Links, linkOf(l))
	}
	return out, nil
}

type tokenState struct {
	link
	Parents []string `json:"parents,omitzero" about:"The links before it, by their ids."`
	Uses    int      `json:"uses" about:"How often it was used, if that is counted."`
	Revoked bool     `json:"revoked" about:"Whether it has been revoked itself."`
}

type tokenStates struct {
	Tokens []tokenState `json:"tokens" about:"All links that are known and have not expired."`
}

func tokens(ctx context.Context, o *vault.Operator, _ nothing) (tokenStates, error) {
	all, err := o.Tokens(ctx)
	out := tokenStates{make([]tokenState, 0, len(all))}
	for _, t := range all {
		out.Tokens = append(out.Tokens, tokenState{linkOf(t.Link), t.Parents, t.Uses, t.Revoked})
	}
	return out, err
}

type newKey struct {
	Name     string `json:"name" about:"By which it is recorded: 1 to 64 of A-Z a-z 0-9 _ -"`
	Operator bool   `json:"operator,omitzero" about:"A remote operator, with full authority, instead of an agent key."`
	Expires  string `json:"expires" about:"When it ends: RFC 3339, whole seconds, at most 366 days away."`
	Limits   grant  `json:"limits,omitzero" about:"What an agent key may issue; scopes are required. Of an operator only networks and description."`
	Reason   string `json:"reason,omitzero" about:"Why, for the record: 1 KiB at most."`
}

type credential struct {
	ID         string `json:"id" about:"Of the key: revoke ends it."`
	Credential string `json:"credential" about:"kw_agent_… or kw_op_…. It is shown here only."`
}

func createKey(ctx context.Context, o *vault.Operator, in newKey) (credential, error) {
	k := vault.Key{Name: in.Name, Operator: in.Operator}
	var err error
	if k.Limits, err = in.Limits.grant(); err != nil {
		return credential{}, err
	}
	if k.Expires, err = time.Parse(time.RFC3339, in.Expires); err != nil {
		return credential{}, front.Malformed("expires: a time as RFC 3339 has it")
	}
	id, tok, err := o.NewKey(ctx, k, in.Reason)
	if err != nil {
		return credential{}, err
	}
	return credential{id, tok.Reveal()}, nil
}

type key struct {
	ID       string `json:"id" about:"What revoke takes."`
	Name     string `json:"name" about:"By which it is recorded."`
	Operator bool   `json:"operator" about:"Whether it is a remote operator's."`
	Limits   grant  `json:"limits,omitzero" about:"What it may issue, and from where."`
	Expires  string `json:"expires" about:"RFC 3339."`
	Revoked  bool   `json:"revoked" about:"Whether it has been revoked."`
}

type keyList struct {
	Keys []key `json:"keys" about:"The first to expire first, those that have ended too."`
}

func keys(ctx context.Context, o *vault.Operator, _ nothing) (keyList, error) {
	all, err := o.Keys(ctx)
	out := keyList{make([]key, 0, len(all))}
	for _, k := range all {
		out.Keys = append(out.Keys, key{k.ID, k.Name, k.Operator, grantOf(k.Limits), stamp(k.Expires), k.Revoked})
	}
	return out, err
}
