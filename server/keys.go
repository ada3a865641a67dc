// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"strings"
	"time"

	"github.com/keyward-go/keyward/vault"
)

type nothing struct{}

// link is a vault.Link in a body.
type link struct {
	ID      string `json:"id"`
	Issued  string `json:"issued"`
	Expires string `json:"expires"`
	Grant   grant  `json:"grant"`
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
	Links []link `json:"links"`
}

func claims(ctx context.Context, c caller, _ nothing) (links, error) {
	all, err := c.Claims(ctx)
	out := links{make([]link, 0, len(all))}
	for _, l := range all {
		out.Links = append(out.Links, linkOf(l))
	}
	return out, err
}

type tokenState struct {
	link
	Parents []string `json:"parents,omitzero"`
	Uses    int      `json:"uses"`
	Revoked bool     `json:"revoked"`
}

type tokenStates struct {
	Tokens []tokenState `json:"tokens"`
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
	Name     string `json:"name"`
	Operator bool   `json:"operator,omitzero"`
	Expires  string `json:"expires"`
	Limits   grant  `json:"limits,omitzero"`
	Reason   string `json:"reason,omitzero"`
}

type credential struct {
	ID         string `json:"id"`
	Credential string `json:"credential"`
}

func createKey(ctx context.Context, o *vault.Operator, in newKey) (credential, error) {
	k := vault.Key{Name: in.Name, Operator: in.Operator}
	var err error
	if k.Limits, err = in.Limits.grant(); err != nil {
		return credential{}, err
	}
	if k.Expires, err = time.Parse(time.RFC3339, in.Expires); err != nil {
		return credential{}, badly("expires: a time as RFC 3339 has it")
	}
	id, tok, err := o.NewKey(ctx, k, in.Reason)
	if err != nil {
		return credential{}, err
	}
	return credential{id, tok.Reveal()}, nil
}

type key struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Operator bool   `json:"operator"`
	Limits   grant  `json:"limits,omitzero"`
	Expires  string `json:"expires"`
	Revoked  bool   `json:"revoked"`
}

type keyList struct {
	Keys []key `json:"keys"`
}

func keys(ctx context.Context, o *vault.Operator, _ nothing) (keyList, error) {
	all, err := o.Keys(ctx)
	out := keyList{make([]key, 0, len(all))}
	for _, k := range all {
		out.Keys = append(out.Keys, key{k.ID, k.Name, k.Operator, grantOf(k.Limits), stamp(k.Expires), k.Revoked})
	}
	return out, err
}
