// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"

	"github.com/keyward-go/keyward/vault"
)

// ownCredential is what looks like a credential of keyward itself.
var ownCredential = regexp.MustCompile(`kw_(tok|agent|op)_[A-Za-z0-9_-]+`)

// tellOwn says of each credential of keyward in the text which one it is and how to end it, and reports whether there is one
// that the vault knows; the error is of one that it does not know. The vault keeps no text of them, so Whose cannot find them.
func (a *app) tellOwn(ctx context.Context, v *vault.Vault, text string) (known bool, err error) {
	told := map[string]bool{}
	for _, m := range ownCredential.FindAllStringSubmatch(text, mostWords) {
		if told[m[0]] {
			continue
		}
		told[m[0]] = true
		name, command, claimsOf := "a token", "token", v.Session(vault.NewToken(m[0]), netip.Addr{}).Claims
		switch m[1] {
		case "agent":
			name, command = "an agent key", "agent"
		case "op":
			name, command, claimsOf = "an operator's credential", "operator", v.Remote(vault.NewToken(m[0]), netip.Addr{}).Claims
		}
		claims, failed := claimsOf(ctx)
		if failed != nil {
			err = fmt.Errorf("%w: this is %s of keyward itself, but not one that is known here\n"+
				"  it is another vault's, or was cut or replaced, or may be used from some networks only; keyward %s list shows the ids,\n"+
				"  and keyward %s revoke ID ends one", vault.ErrNotFound, name, command, command)
			continue
		}
		id := claims[len(claims)-1].ID
		a.printf("this is %s of keyward itself: %s\n  keyward %s revoke %s --reason leaked\n  ends it, and every token that was made with it", name, id, command, id)
		known = true
	}
	return known, err
}
