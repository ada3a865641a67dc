// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"unicode/utf8"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// operations are all that the API does.
var operations = []operation{
	forCaller("issue", "Issue a token: a new grant, one inside an agent key's limits, or a narrowing of the token that asks.", maxSmall, issue),
	forCaller("claims", "What the credential that asks says of itself; not whether it is still alive. An answer is not recorded.", maxSmall, claims),
	forCaller("get", "Reveal a value.", maxSmall, get),
	forCaller("put", "Store a new version.", maxLarge, put),
	forCaller("delete", "Delete a version, or with version 0 all of them.", maxSmall, remove),
	forCaller("list", "The newest version of every path that a pattern covers, without values.", maxSmall, list),
	forCaller("versions", "The versions of one path, without values.", maxSmall, versions),
	forCaller("revoke", "End a token, and all that was narrowed from it; an operator also an agent key or operator.", maxSmall, revoke),
	forOperator("policy", "Replace the policy of a path.", maxSmall, setPolicy),
	forOperator("freeze", "Stop a path pattern, agent, run, user or tenant.", maxSmall, freeze),
	forOperator("thaw", "End a freeze.", maxSmall, thaw),
	forOperator("freezes", "List what is frozen.", maxSmall, freezes),
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
			return out, front.Badly("%w", err)
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

type secretRequest struct {
	Path     string            `json:"path" about:"The path of a secret, as in production/llm/key."`
	Version  int               `json:"version,omitzero" about:"A number. Zero: the newest, and for delete all of them; destroy wants one."`
	Reason   string            `json:"reason,omitzero" about:"Why, for the record: 1 KiB at most."`
	Call     string            `json:"call,omitzero" about:"The tool call or request that it belongs to, for the record: 128 bytes at most."`
	Metadata map[string]string `json:"metadata,omitzero" about:"More for the record: 32 keys and 4 KiB at most, in the clear."`
}

func (r *secretRequest) call(id string) { r.Call = cmp.Or(r.Call, id) }

func (r secretRequest) request() vault.Request {
	return vault.Request{Path: r.Path, Version: r.Version, Reason: r.Reason, Call: r.Call, Metadata: r.Metadata}
}

// item is a version without its value.
type item struct {
	Path     string            `json:"path" about:"The path of the secret."`
	Version  int               `json:"version" about:"The number of the version."`
	Policy   policy            `json:"policy,omitzero" about:"The policy of the path."`
	Metadata map[string]string `json:"metadata,omitzero" about:"What was put with it."`
	Created  string            `json:"created,omitzero" about:"When it was put: RFC 3339."`
	Reason   string            `json:"reason,omitzero" about:"Why it was put."`
}

type revealed struct {
	Path     string            `json:"path" about:"The path of the secret."`
	Version  int               `json:"version" about:"The number of the version."`
	Value    string            `json:"value" about:"The value. Empty if it is."`
	Encoding string            `json:"encoding,omitzero" enum:"base64" about:"base64: value is the base64 of bytes that are no UTF-8."`
	Policy   policy            `json:"policy,omitzero" about:"The policy of the path."`
	Metadata map[string]string `json:"metadata,omitzero" about:"What was put with it."`
	Created  string            `json:"created,omitzero" about:"When it was put: RFC 3339."`
	Reason   string            `json:"reason,omitzero" about:"Why it was put."`
}

type newItem struct {
	Path     string            `json:"path" about:"Where to: segments of a-z 0-9 . _ - joined by slashes."`
	Value    *string           `json:"value" about:"The value, 1 MiB at most."`
	Encoding string            `json:"encoding,omitzero" enum:"base64" about:"base64: value is the base64 of bytes that are no UTF-8."`
	Version  int               `json:"version,omitzero" about:"The number that must be next. Zero: whichever is."`
	Policy   policy            `json:"policy,omitzero" about:"What is given can only tighten the policy of the path."`
	Metadata map[string]string `json:"metadata,omitzero" about:"32 keys and 4 KiB at most, kept in the clear."`
	Reason   string            `json:"reason,omitzero" about:"Why, for the record: 1 KiB at most."`
}

type stored struct {
	Path    string `json:"path" about:"The path of the secret."`
	Version int    `json:"version" about:"The number of the new version."`
}

func itemOf(it vault.Item) item {
	return item{Path: it.Path, Version: it.Version, Policy: policyOf(it.Policy), Metadata: it.Metadata, Created: stamp(it.Created), Reason: it.Reason}
}

func get(ctx context.Context, c front.Door, in secretRequest) (out revealed, err error) {
	it, err := c.Get(ctx, in.request())
	if err != nil {
		return out, err
	}
	out = revealed{Path: it.Path, Version: it.Version, Policy: policyOf(it.Policy), Metadata: it.Metadata, Created: stamp(it.Created), Reason: it.Reason}
	if out.Value = it.Value.Reveal(); !utf8.ValidString(out.Value) {
		out.Value, out.Encoding = base64.StdEncoding.EncodeToString([]byte(out.Value)), "base64"
	}
	return out, nil
}

func put(ctx context.Context, c front.Door, in newItem) (out stored, err error) {
	if in.Value == nil { // an empty one is a value too
		return out, front.Badly("value is missing")
	}
	it := vault.Item{Path: in.Path, Version: in.Version, Metadata: in.Metadata, Reason: in.Reason}
	value := *in.Value
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
	if err != nil {
		return out, front.Badly("encoding: none, or base64 of the value")
	}
	if it.Policy, err = in.Policy.policy(); err != nil {
		return out, err
	}
	it.Value = vault.NewSecret(value)
	n, err := c.Put(ctx, it)
	return stored{in.Path, n}, err
}

type done struct{}

func remove(ctx context.Context, c front.Door, in secretRequest) (done, error) {
	return done{}, c.Delete(ctx, in.request())
}

type pattern struct {
	Pattern string `json:"pattern" about:"As in a scope: a path, or one with a last segment *, which stands for one or more."`
	Reason  string `json:"reason,omitzero" about:"Why, for the record: 1 KiB at most."`
	Call    string `json:"call,omitzero" about:"The tool call or request that it belongs to, for the record: 128 bytes at most."`
}

func (p *pattern) call(id string) { p.Call = cmp.Or(p.Call, id) }

type items struct {
	Items []item `json:"items" about:"In the order of their paths."`
}

func itemsOf(all []vault.Item) items {
	out := items{make([]item, 0, len(all))}
	for _, it := range all {
		out.Items = append(out.Items, itemOf(it))
	}
	return out
}

func list(ctx context.Context, c front.Door, in pattern) (items, error) {
	all, err := c.List(ctx, vault.Request{Path: in.Pattern, Reason: in.Reason, Call: in.Call})
	return itemsOf(all), err
}

func versions(ctx context.Context, c front.Door, in secretRequest) (items, error) {
	all, err := c.Versions(ctx, in.request())
	return itemsOf(all), err
}

type target struct {
	ID     string `json:"id" about:"Of the token or key, as issue, claims, tokens and keys show it."`
	Reason string `json:"reason,omitzero" about:"Why, for the record: 1 KiB at most."`
}

func revoke(ctx context.Context, c front.Door, in target) (done, error) {
	return done{}, c.Revoke(ctx, in.ID, in.Reason)
}
