// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// grantFlags are the flags that make a grant.
type grantFlags struct {
	scopes                         []string
	ttl                            span
	uses                           positive
	run, user, tenant, description string
	networks                       networks
}

// fromNetwork is what --network of a credential means.
const fromNetwork = "a network that it may be used from, by keyward serve and no command here; may be repeated"

func (g *grantFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&g.scopes, "scope", nil, "what it may do, as the `SCOPE` 'secrets:use:production/search/*'; may be repeated")
	f.Var(&g.ttl, "ttl", "how long a token lives")
	f.Var(&g.uses, "uses", "how often it may be used (else not limited)")
	f.StringVar(&g.run, "run", "", "the run that it is for")
	f.StringVar(&g.user, "user", "", "the user that it is for")
	f.StringVar(&g.tenant, "tenant", "", "the tenant that it is for")
	f.StringVar(&g.description, "description", "", "a few words for the records")
	f.Var(&g.networks, "network", fromNetwork)
}

// grant makes a grant of the flags.
func (a *app) grant(f grantFlags) (g vault.Grant, err error) {
	if f.description == "" {
		f.description = a.reason
	}
	g = vault.Grant{
		Run: f.run, User: f.user, Tenant: f.tenant, Description: f.description, TTL: time.Duration(f.ttl), MaxUses: int(f.uses), Networks: f.networks,
	}
	if len(f.scopes) > 0 {
		if g.Scopes, err = scope.Parse(f.scopes...); err != nil {
			return g, usagef("--scope: %v", err)
		}
	}
	return g, nil
}

// sayNetworks says what a credential that is bound to networks is not good for.
func (a *app) sayNetworks(n []netip.Prefix) {
	if len(n) > 0 {
		a.printf("  It works with keyward serve, from %s, and in no command that opens the vault itself.", strings.Join(texts(n), " "))
	}
}
