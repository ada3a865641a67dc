// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// trouble is something for which a policy can never work, with what to do.
type trouble struct{ text, next string }

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10") // private in effect, which IsPrivate does not say

// troubles returns what keeps tokens from ever using a path with this policy. Every policy that the vault takes is good for
// something (an operator, a time that has passed), so these are warnings.
func troubles(path string, p vault.Policy) (all []trouble) {
	set := "keyward policy set " + path + " "
	for _, entry := range p.Hosts {
		u, err := url.Parse(vault.Policy{Hosts: []string{entry}}.Origin())
		if err != nil || u.Host == "" {
			continue // the vault refuses it, and says why
		}
		host := u.Hostname()
		if a, ok := addressOf(host); ok && !reachable(a, p.Networks) {
			all = append(all, trouble{host + " is not in the networks of the policy, so nothing is ever sent there: without --network these are the public addresses",
				set + "--network " + a.String()})
		}
		if host == "api.anthropic.com" && p.Type != "oauth_token" && (p.Placement == "" || p.Placement == "bearer") {
			all = append(all, trouble{"api.anthropic.com takes an API key in a header of its own, and not as bearer", set + "--placement header:X-Api-Key"})
		}
	}
	if p.Tier == vault.Sensitive || p.Tier == vault.Critical {
		all = append(all, trouble{"the tier " + string(p.Tier) + " refuses every token, as long as keyward has no approvals: only operators can use it", set + "--tier standard"})
	}
	if !p.Expires.IsZero() && time.Now().After(p.Expires) {
		all = append(all, trouble{"it ended at " + when(p.Expires) + ", so tokens may not use it", "put a new value there and say when that ends, with " + set + "--expires TIME, or delete it"})
	}
	return all
}

// addressOf returns the address that a host is without asking anybody: one in numbers, or this machine.
func addressOf(host string) (netip.Addr, bool) {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		host = "127.0.0.1"
	}
	a, err := netip.ParseAddr(host)
	return a, err == nil
}

func reachable(a netip.Addr, networks []netip.Prefix) bool {
	if len(networks) > 0 {
		return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return a.IsGlobalUnicast() && !a.IsPrivate() && !carrierNAT.Contains(a)
}

// warn says what is wrong with the policy that path was given.
func (a *app) warn(path string, p vault.Policy) {
	for _, t := range troubles(path, p) {
		a.printf("warning: %s: %s\n  %s", path, t.text, t.next)
	}
}

// policyOf returns the policy of a path, if there is a value and the caller may list it.
func (a *app) policyOf(ctx context.Context, c caller, path string) (p vault.Policy, found bool, err error) {
	items, err := c.List(ctx, vault.Request{Path: path, Reason: a.reason})
	if err != nil || len(items) == 0 {
		return p, false, err
	}
	return items[0].Policy, true, nil
}

// warnOfPut warns of the policy that a put has left. Its flags are not all of that where there was one before.
func (a *app) warnOfPut(ctx context.Context, c caller, it vault.Item) {
	if len(troubles(it.Path, it.Policy)) > 0 {
		if op, ok := c.(*vault.Operator); ok { // for a token to ask would be one more refusal in the log
			if p, found, err := a.policyOf(ctx, op, it.Path); err == nil && found {
				it.Policy = p
			}
		}
		a.warn(it.Path, it.Policy)
	}
	if it.Version == 1 && len(it.Policy.Hosts) == 0 && (it.Policy.Type == "" || it.Policy.Type == "api_key" || it.Policy.Type == "oauth_token") {
		a.printf("  For HTTP it needs a host, if it has none yet: keyward policy set %s --host HOST", it.Path)
	}
}
