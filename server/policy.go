// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net/netip"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// policy is a vault.Policy in a body.
type policy struct {
	Type      string   `json:"type,omitzero"`
	Tier      string   `json:"tier,omitzero"`
	Hosts     []string `json:"hosts,omitzero"`
	Networks  []string `json:"networks,omitzero"`
	Placement string   `json:"placement,omitzero"`
	Expires   string   `json:"expires,omitzero"`
}

func policyOf(p vault.Policy) policy {
	out := policy{Type: p.Type, Tier: string(p.Tier), Hosts: p.Hosts, Placement: p.Placement, Expires: stamp(p.Expires)}
	for _, n := range p.Networks {
		out.Networks = append(out.Networks, n.String())
	}
	return out
}

func (p policy) policy() (out vault.Policy, err error) {
	out = vault.Policy{Type: p.Type, Tier: vault.Tier(p.Tier), Hosts: p.Hosts, Placement: p.Placement}
	if out.Networks, err = prefixes(p.Networks); err != nil {
		return out, err
	}
	if p.Expires != "" {
		if out.Expires, err = time.Parse(time.RFC3339, p.Expires); err != nil {
			return out, badly("expires: a time as RFC 3339 has it")
		}
	}
	return out, nil
}

func prefixes(texts []string) (out []netip.Prefix, err error) {
	for i, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, badly("networks, entry %d: a network as in 10.0.0.0/8", i+1)
		}
		out = append(out, p)
	}
	return out, nil
}

// stamp is a time in a body; empty for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

type pathPolicy struct {
	Path   string `json:"path"`
	Policy policy `json:"policy"`
	Reason string `json:"reason,omitzero"`
}

func setPolicy(ctx context.Context, o *vault.Operator, in pathPolicy) (done, error) {
	p, err := in.Policy.policy()
	if err != nil {
		return done{}, err
	}
	return done{}, o.SetPolicy(ctx, in.Path, p, in.Reason)
}

type frozen struct {
	Kind   string `json:"kind"`
	Value  string `json:"value"`
	Reason string `json:"reason,omitzero"`
}

func freeze(ctx context.Context, o *vault.Operator, in frozen) (done, error) {
	return done{}, o.Freeze(ctx, vault.Frozen{Kind: in.Kind, Value: in.Value}, in.Reason)
}

func thaw(ctx context.Context, o *vault.Operator, in frozen) (done, error) {
	return done{}, o.Thaw(ctx, vault.Frozen{Kind: in.Kind, Value: in.Value}, in.Reason)
}

type value struct {
	Value string `json:"value"`
}

func whose(ctx context.Context, o *vault.Operator, in value) (items, error) {
	all, err := o.Whose(ctx, vault.NewSecret(in.Value))
	return itemsOf(all), err
}

func destroy(ctx context.Context, o *vault.Operator, in secretRequest) (done, error) {
	return done{}, o.Destroy(ctx, in.request())
}
