// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

// tokenJSON is one link.
type tokenJSON struct {
	ID          string    `json:"id"`
	Agent       string    `json:"agent,omitempty"`
	Run         string    `json:"run,omitempty"`
	User        string    `json:"user,omitempty"`
	Tenant      string    `json:"tenant,omitempty"`
	Description string    `json:"description,omitempty"`
	Scopes      []string  `json:"scopes,omitempty"`
	Networks    []string  `json:"networks,omitempty"`
	Issued      time.Time `json:"issued,omitzero"`
	Expires     time.Time `json:"expires,omitzero"`
	Uses        int       `json:"uses"`
	MaxUses     int       `json:"max_uses,omitempty"`
	Revoked     bool      `json:"revoked"`
}

func newTokenListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the tokens that have not expired",
		Long:    "List shows the tokens that have not expired, those revoked too. It reads and checks the whole log. Ids are short; --json has them whole.",
		Example: "  keyward token list --json",
		Args:    want(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error {
				tokens, err := op.Tokens(ctx)
				if err != nil {
					return err
				}
				return a.printTokens(tokens)
			})
		},
	}
}

func (a *app) printTokens(tokens []vault.TokenState) error {
	out := make([]tokenJSON, 0, len(tokens))
	var rows [][]string
	for _, t := range tokens {
		g := t.Link.Grant
		j := tokenJSON{
			t.Link.ID, g.Agent, g.Run, g.User, g.Tenant, g.Description, strings.Fields(g.Scopes.String()), texts(g.Networks),
			t.Link.Issued, t.Link.Expires, t.Uses, g.MaxUses, t.Revoked,
		}
		out = append(out, j)
		state, uses := "alive", ""
		if j.Revoked {
			state = "revoked"
		}
		if j.MaxUses > 0 {
			uses = strconv.Itoa(j.Uses) + "/" + strconv.Itoa(j.MaxUses)
		}
		rows = append(rows, []string{short(j.ID), state, j.Agent, j.Run, g.Scopes.String(), uses, when(j.Expires)})
	}
	return a.printTable(out, "ID STATE AGENT RUN SCOPES USES EXPIRES", rows)
}

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

// revokeToken revokes first and looks then whether there is such a token, since the vault takes the id of one that it does not
// know: it may have been narrowed elsewhere.
func (a *app) revokeToken(ctx context.Context, c caller, id string) error {
	if op, ok := c.(*vault.Operator); ok && shortID.MatchString(id) {
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
	a.printf("%s is revoked", id)
	if op, ok := c.(*vault.Operator); ok {
		tokens, err := op.Tokens(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(tokens, func(t vault.TokenState) bool { return t.Link.ID == id && !t.Link.Issued.IsZero() }) {
			a.printf("but no token that lives was issued with this id: if it is no part of a narrowed token's, it is a typing mistake")
		}
	}
	return nil
}
