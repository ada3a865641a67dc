// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"net/netip"
	"slices"
)

// notPublic is what the IANA registries of special-purpose addresses (RFC 6890, and what was added since) do not call globally
// reachable, with multicast, and with the prefixes that carry an IPv4 address to a translator: behind these may be any of
// the others.
var notPublic = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)

// publicV6 is the only part of IPv6 that is given out for use on the internet; the second list is taken out of it.
var (
	publicV6    = netip.MustParsePrefix("2000::/3")
	notPublicV6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// allowed reports whether a policy with these networks allows an address: without any, public ones.
func allowed(a netip.Addr, networks []netip.Prefix) bool {
	if a = a.Unmap(); a.Zone() != "" || !a.IsValid() {
		return false
	}
	inside := func(p netip.Prefix) bool { return p.Contains(a) }
	switch {
	case len(networks) > 0:
		return slices.ContainsFunc(networks, inside)
	case a.Is4():
		return !slices.ContainsFunc(notPublic, inside)
	}
	return publicV6.Contains(a) && !slices.ContainsFunc(notPublicV6, inside)
}
