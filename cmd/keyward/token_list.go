// SPDX-License-Identifier: Apache-2.0

package main

import (
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
	State       string    `json:"state"` // alive, used up or revoked
}

func newTokenListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the tokens that have not expired",
		Long: `List shows the tokens that have not expired, those revoked too. What a token inherits is said at the one that it was narrowed from,
or at the key of an agent that it was issued under. Of one that was narrowed elsewhere only the id and the end are known. A freeze is
not shown. List reads and checks the whole log. Ids are short; --json has them whole, and leaves out what is inherited.`,
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
	spent := map[string]bool{} // a token comes behind those above it
	for _, t := range tokens {
		g := t.Link.Grant
		spent[t.Link.ID] = g.MaxUses > 0 && t.Uses >= g.MaxUses || slices.ContainsFunc(t.Parents, func(id string) bool { return spent[id] })
		j := tokenJSON{
			t.Link.ID, g.Agent, g.Run, g.User, g.Tenant, g.Description, strings.Fields(g.Scopes.String()), texts(g.Networks),
			t.Link.Issued, t.Link.Expires, t.Uses, g.MaxUses, tokenState(t, spent[t.Link.ID]),
		}
		out = append(out, j)
		uses := ""
		if j.MaxUses > 0 {
			uses = strconv.Itoa(j.Uses) + "/" + strconv.Itoa(j.MaxUses)
		}
		row := []string{short(j.ID), j.State, j.Agent, j.Run, g.Scopes.String(), strings.Join(j.Networks, " "), uses, when(j.Expires)}
		for i, cell := range row {
			switch {
			case cell != "":
			case len(t.Parents) > 0 && t.Link.Issued.IsZero():
				row[i] = "unknown"
			case len(t.Parents) > 0:
				row[i] = "inherits"
			}
		}
		rows = append(rows, row)
	}
	return a.printTable(out, "ID STATE AGENT RUN SCOPES NETWORKS USES EXPIRES", rows)
}

func tokenState(t vault.TokenState, spent bool) string {
	switch {
	case t.Revoked:
		return "revoked"
	case spent:
		return "used up"
	}
	return "alive"
}
