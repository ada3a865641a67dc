// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newAgentCommand(a *app) *cobra.Command {
	return family(&cobra.Command{
		Use:     "agent",
		Short:   "Keys with which agents of other processes get tokens",
		Example: "  keyward agent create researcher --scope 'secrets:use:production/search/*'",
	}, newAgentCreateCommand(a), newKeyListCommand(a, "agent", false), newKeyRevokeCommand(a, "agent", false))
}

func newAgentCreateCommand(a *app) *cobra.Command {
	var flags grantFlags
	var expires moment
	flags.ttl = span(time.Hour)
	c := &cobra.Command{
		Use:   "create NAME --scope SCOPE…",
		Short: "Print the new key of an agent",
		Long: `Create prints the key of an agent, and nothing else, on the standard output. It is shown only here. All that it can do is to
get tokens under that name, or names below it, inside the scopes, for at most --ttl each. It lives 90 days if --expires does not
say otherwise.`,
		Example: `  keyward agent create researcher --scope 'secrets:use:production/search/*'
  keyward agent create nightly --scope secrets:read:production/db/password --ttl 10m --expires 365d --network 10.0.0.0/8`,
		Args: want(1, 1, "NAME --scope SCOPE…"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(flags.scopes) == 0 {
				return usagef("say what it may get tokens for: --scope SCOPE; see keyward agent create --help")
			}
			g, err := a.grant(flags)
			if err != nil {
				return err
			}
			g.Agent = args[0]
			return a.newKey(cmd.Context(), vault.Key{Name: args[0], Limits: g, Expires: expires.Time})
		},
	}
	flags.add(c.Flags())
	c.Flags().Var(&expires, "expires", "when the key ends, as 90d or 2027-01-31; at most 366 days away")
	return c
}
