// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"unicode/utf8"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

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
	item
	Value    string `json:"value" about:"The value. Empty if it is."`
	Encoding string `json:"encoding,omitzero" enum:"base64" about:"base64: value is the base64 of bytes that are no UTF-8."`
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
	out = revealed{item: itemOf(it)}
	if out.Value = it.Value.Reveal(); !utf8.ValidString(out.Value) {
		out.Value, out.Encoding = base64.StdEncoding.EncodeToString([]byte(out.Value)), "base64"
	}
	return out, nil
}

func put(ctx context.Context, c front.Door, in newItem) (out stored, err error) {
	if in.Value == nil { // an empty one is a value too
		return out, front.Malformed("value is missing")
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
		return out, front.Malformed("encoding: none, or base64 of the value")
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
