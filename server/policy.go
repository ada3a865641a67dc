// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net/netip"
	"time"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

// policy is a vault.Policy in a body.
type policy struct {
	Type      string   `json:"type,omitzero" enum:"api_key,oauth_token,db_credential,ssh_key,certificate,custom" about:"What kind of credential it is."`
	Tier      string   `json:"tier,omitzero" enum:"standard,sensitive,critical" about:"How much it takes to reach it."`
	Hosts     []string `json:"hosts,omitzero" about:"The only places that a use may take it to: [METHOD,… ][http://]host[:port][/prefix]. 32 at most; none: it is not for HTTP."`
	Networks  []string `json:"networks,omitzero" about:"Where these hosts may resolve to. None: public addresses only."`
	Placement string   `json:"placement,omitzero" about:"Where a request carries it: bearer (if empty), basic:<user>, header:<Name> or query:<name>."`
	Expires   string   `json:"expires,omitzero" about:"When its use by tokens ends: RFC 3339, whole seconds."`
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
			return out, front.Malformed("expires: a time as RFC 3339 has it")
		}
	}
	return out, nil
}

func prefixes(texts []string) (out []netip.Prefix, err error) {
	for i, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, front.Malformed("networks, entry %d: a network as in 10.0.0.0/8", i+1)
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
	Path   string `json:"path" about:"The path of a secret, which need not be there yet."`
	Policy policy `json:"policy" about:"All of the new policy."`
	Reason string `json:"reason,omitzero" about:"Why, for the record: 1 KiB at most."`
}

func setPolicy(ctx context.Context, o *vault.Operator, in pathPolicy) (done, error) {
	p, err := in.Policy.policy()
	if err != nil {
		return done{}, err
	}
	return done{}, o.SetPolicy(ctx, in.Path, p, in.Reason)
}
