// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

// ofDeadToken returns advice, or what is true in any case of a token that is bound to networks, since a command that opens the vault
// itself comes from none. That stands in the token and is read from it alone, so nothing is said of why the vault refused it. In a
// key nothing stands.
func (a *app) ofDeadToken(advice string) string {
	switch text := a.token.Reveal(); {
	case boundToNetworks(a.token):
		return "it is bound to networks, and such a token is for keyward serve: a command that opens the vault itself comes from none"
	case strings.HasPrefix(text, "kw_agent_"), strings.HasPrefix(text, "kw_op_"):
		return "if it was made with --network it is for keyward serve: a command that opens the vault itself comes from no network\n  else " + advice
	}
	return advice
}

// boundToNetworks reports whether a token says that it may be used from some networks only: to say of it that it may be used from
// everywhere would widen it then, which Narrow refuses.
func boundToNetworks(t vault.Token) bool {
	everywhere := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	_, plainly := t.Narrow(vault.Grant{Description: "any"})
	_, widely := t.Narrow(vault.Grant{Networks: everywhere})
	return plainly == nil && widely != nil
}
