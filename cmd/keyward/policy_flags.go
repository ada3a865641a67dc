// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/keyward-go/keyward/vault"
)

// policyFlags are the flags that make a policy.
type policyFlags struct {
	hosts                 []string
	networks              networks
	placement, kind, tier string
	expires               moment
}

func (p *policyFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&p.hosts, "host", nil, "a `HOST` where the value may be used, as 'api.example.com' or 'GET,POST api.example.com/v1'; may be repeated")
	f.Var(&p.networks, "network", "a network that the hosts may be in; without one only public addresses; may be repeated")
	f.StringVar(&p.placement, "placement", "", "where a request carries it: bearer, basic:USER, header:NAME or query:NAME (else bearer)")
	f.StringVar(&p.kind, "type", "", "api_key, oauth_token, db_credential, ssh_key, certificate or custom")
	f.StringVar(&p.tier, "tier", "", "standard, sensitive or critical (else standard)")
	f.Var(&p.expires, "expires", "when tokens may no longer use it, as 90d or 2027-01-31")
}

func (p *policyFlags) policy() vault.Policy {
	return vault.Policy{
		Type: p.kind, Tier: vault.Tier(p.tier), Hosts: p.hosts, Networks: p.networks, Placement: p.placement, Expires: p.expires.Time,
	}
}

// check refuses what cannot be meant.
func (p *policyFlags) check() error {
	if !p.expires.IsZero() && !p.expires.After(time.Now()) {
		return usagef("--expires: %s has passed", when(p.expires.Time))
	}
	return nil
}

var policyNames = []string{"host", "network", "placement", "type", "tier", "expires"}

func (p *policyFlags) changed(f *pflag.FlagSet) bool {
	return slices.ContainsFunc(policyNames, f.Changed)
}

// change sets in old what the flags say, and returns what else is there and stays.
func (p *policyFlags) change(old *vault.Policy, f *pflag.FlagSet) (stays []string) {
	now := p.policy()
	for _, part := range []struct {
		name  string
		there bool
		set   func()
	}{
		{"host", len(old.Hosts) > 0, func() { old.Hosts = now.Hosts }},
		{"network", len(old.Networks) > 0, func() { old.Networks = now.Networks }},
		{"placement", old.Placement != "", func() { old.Placement = now.Placement }},
		{"type", old.Type != "", func() { old.Type = now.Type }},
		{"tier", old.Tier != "" && old.Tier != vault.Standard, func() { old.Tier = now.Tier }},
		{"expires", !old.Expires.IsZero(), func() { old.Expires = now.Expires }},
	} {
		if f.Changed(part.name) {
			part.set()
		} else if part.there {
			stays = append(stays, part.name)
		}
	}
	return stays
}
