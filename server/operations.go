// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"encoding/base64"
	"errors"
	"unicode/utf8"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// operations are all that the API does.
var operations = []operation{
	forCaller("issue", "Issue a token: a new grant, one inside an agent key's limits, or a narrowing of the token that asks.", maxSmall, issue),
	forCaller("claims", "What the credential that asks says of itself.", maxSmall, claims),
	forCaller("get", "Reveal a value.", maxSmall, get),
	forCaller("put", "Store a new version.", maxLarge, put),
	forCaller("delete", "Delete a version, or with version 0 all of them.", maxSmall, remove),
	forCaller("list", "The newest version of every path that a pattern covers, without values.", maxSmall, list),
	forCaller("versions", "The versions of one path, without values.", maxSmall, versions),
	forCaller("revoke", "End a token, and all that was narrowed from it; an operator also an agent key or operator.", maxSmall, revoke),
	forOperator("policy", "Replace the policy of a path.", maxSmall, setPolicy),
	forOperator("freeze", "Stop a path pattern, agent, run, user or tenant.", maxSmall, freeze),
	forOperator("thaw", "End a freeze.", maxSmall, thaw),
	forOperator("whose", "Which secrets have this value.", maxLarge, whose),
	forOperator("destroy", "Destroy one version for good.", maxSmall, destroy),
	forOperator("tokens", "The tokens that have not expired.", maxSmall, tokens),
	forOperator("create_key", "Make an agent key, or with operator a remote operator. The credential is shown here only.", maxSmall, createKey),
	forOperator("keys", "The agent keys and remote operators.", maxSmall, keys),
	forOperator("records", "Records of the log, in order. Ask again with since = next for more.", maxSmall, records),
	forOperator("checkpoint", "A signed checkpoint of the log.", maxSmall, checkpoint),
	forOperator("proof", "The line of a record, and the proof that a checkpoint covers it.", maxSmall, proof),
	exporting,
}

type grant struct {
	Agent       string   `json:"agent,omitzero"`
	Run         string   `json:"run,omitzero"`
	User        string   `json:"user,omitzero"`
	Tenant      string   `json:"tenant,omitzero"`
	Description string   `json:"description,omitzero"`
	Scopes      []string `json:"scopes,omitzero"`
	TTL         int64    `json:"ttl_seconds,omitzero"`
	MaxUses     int      `json:"max_uses,omitzero"`
	Networks    []string `json:"networks,omitzero"`
}

func (g grant) grant() (out vault.Grant, err error) {
	out = vault.Grant{Agent: g.Agent, Run: g.Run, User: g.User, Tenant: g.Tenant, Description: g.Description, MaxUses: g.MaxUses}
	if out.TTL, err = seconds(g.TTL); err != nil {
		return out, err
	}
	if len(g.Scopes) > 0 {
		if out.Scopes, err = scope.Parse(g.Scopes...); err != nil {
			return out, badly("%w", err)
		}
	}
	out.Networks, err = prefixes(g.Networks)
	return out, err
}

type issued struct {
	Token   string `json:"token"`
	ID      string `json:"id"`
	Agent   string `json:"agent"`
	Expires string `json:"expires"`
}

func issue(ctx context.Context, c caller, in grant) (out issued, err error) {
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
	ends := links[0].Expires
	for _, l := range links {
		if l.Expires.Before(ends) {
			ends = l.Expires
		}
		if l.Grant.Agent != "" {
			out.Agent = l.Grant.Agent
		}
		out.ID = l.ID
	}
	out.Expires = stamp(ends)
	return out, nil
}

type secretRequest struct {
	Path     string            `json:"path"`
	Version  int               `json:"version,omitzero"`
	Reason   string            `json:"reason,omitzero"`
	Call     string            `json:"call,omitzero"`
	Metadata map[string]string `json:"metadata,omitzero"`
}

func (r secretRequest) request() vault.Request {
	return vault.Request{Path: r.Path, Version: r.Version, Reason: r.Reason, Call: r.Call, Metadata: r.Metadata}
}

type item struct {
	Path     string            `json:"path"`
	Version  int               `json:"version"`
	Value    string            `json:"value,omitzero"`
	Encoding string            `json:"encoding,omitzero"` // base64: of a value that is no UTF-8
	Policy   policy            `json:"policy,omitzero"`
	Metadata map[string]string `json:"metadata,omitzero"`
	Created  string            `json:"created,omitzero"`
	Reason   string            `json:"reason,omitzero"`
}

func itemOf(it vault.Item) item {
	return item{Path: it.Path, Version: it.Version, Policy: policyOf(it.Policy), Metadata: it.Metadata, Created: stamp(it.Created), Reason: it.Reason}
}

func get(ctx context.Context, c caller, in secretRequest) (item, error) {
	it, err := c.Get(ctx, in.request())
	if err != nil {
		return item{}, err
	}
	out := itemOf(it)
	if out.Value = it.Value.Reveal(); !utf8.ValidString(out.Value) {
		out.Value, out.Encoding = base64.StdEncoding.EncodeToString([]byte(out.Value)), "base64"
	}
	return out, nil
}

func put(ctx context.Context, c caller, in item) (out item, err error) {
	it := vault.Item{Path: in.Path, Version: in.Version, Metadata: in.Metadata, Reason: in.Reason}
	value := in.Value
	switch in.Encoding {
	case "":
	case "base64":
		var b []byte
		b, err = base64.StdEncoding.Strict().DecodeString(value)
		value = string(b)
		clear(b)
	default:
		err = errors.New("unknown")
	}
	switch {
	case err != nil:
		return out, badly("encoding: none, or base64 of the value")
	case in.Created != "":
		return out, badly("created is set by the vault")
	}
	if it.Policy, err = in.Policy.policy(); err != nil {
		return out, err
	}
	it.Value = vault.NewSecret(value)
	n, err := c.Put(ctx, it)
	return item{Path: in.Path, Version: n}, err
}

type done struct{}

func remove(ctx context.Context, c caller, in secretRequest) (done, error) {
	return done{}, c.Delete(ctx, in.request())
}

type pattern struct {
	Pattern string `json:"pattern"`
	Reason  string `json:"reason,omitzero"`
}

type items struct {
	Items []item `json:"items"`
}

func itemsOf(all []vault.Item) items {
	out := items{make([]item, 0, len(all))}
	for _, it := range all {
		out.Items = append(out.Items, itemOf(it))
	}
	return out
}

func list(ctx context.Context, c caller, in pattern) (items, error) {
	all, err := c.List(ctx, vault.Request{Path: in.Pattern, Reason: in.Reason})
	return itemsOf(all), err
}

func versions(ctx context.Context, c caller, in secretRequest) (items, error) {
	all, err := c.Versions(ctx, in.request())
	return itemsOf(all), err
}

type target struct {
	ID     string `json:"id"`
	Reason string `json:"reason,omitzero"`
}

func revoke(ctx context.Context, c caller, in target) (done, error) {
	return done{}, c.Revoke(ctx, in.ID, in.Reason)
}
