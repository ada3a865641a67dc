// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newTokenRevokeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "End a token and all that was narrowed from it",
		Long:    "Revoke ends a token, and all that was narrowed from it, in every process before it returns. Token list and the log have the id,\nof which the short form does as well.",
		Example: "  keyward token revoke 00112233445566778899aabbccddeeff --reason leaked",
		Args:    want(1, 1, "ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.withCaller(ctx, func(c caller) error { return a.revokeToken(ctx, c, args[0]) })
		},
	}
}

// revokeToken revokes first, which must not wait, and looks then what is known of the id.
func (a *app) revokeToken(ctx context.Context, c caller, id string) error {
	op, isOperator := c.(*vault.Operator)
	if isOperator && shortID.MatchString(id) {
		tokens, err := op.Tokens(ctx)
		if err != nil {
			return err
		}
		var all []string
		for _, t := range tokens {
			all = append(all, t.Link.ID)
		}
		if id, err = whole(id, all); err != nil {
			return err
		}
	}
	if err := c.Revoke(ctx, id, a.reason); err != nil {
		return err
	}
	if !isOperator || strings.HasPrefix(id, "key:") && !strings.Contains(id, ".") { // the vault refuses those that it does not know
		a.printf("%s is revoked, with all that was made of it", id)
		return nil
	}
	tokens, err := op.Tokens(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("%s is revoked, but whether there was such a token is not known", id), err)
	}
	a.sayRevoked(id, tokens)
	return nil
}

// sayRevoked says how much is known of an id that the vault has revoked: it takes one that it has never seen too, since a token
// may have been narrowed elsewhere.
func (a *app) sayRevoked(id string, tokens []vault.TokenState) {
	above := ""
	for _, t := range tokens {
		switch known := t.Link.ID; {
		case t.Link.Issued.IsZero():
		case known == id:
			a.printf("%s is revoked, with all that was narrowed from it", id)
			return
		case strings.HasPrefix(id, known+"."):
			above = known
		}
	}
	if above != "" {
		a.printf("no token was issued here with the id %s, but whoever has narrowed it elsewhere from %s holds a dead one now\n"+
			"  if that is not what you meant, it is a typing mistake: keyward token list shows the ids", id, above)
		return
	}
	a.printf("no token that lives has the id %s, so nothing has ended: it has expired, or is a typing mistake\n"+
		"  keyward token list shows the ids; this one is recorded as revoked all the same", id)
}
