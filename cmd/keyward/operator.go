// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newOperatorCommand(a *app) *cobra.Command {
	return family(&cobra.Command{
		Use:     "operator",
		Short:   "Credentials of operators who are elsewhere",
		Example: "  keyward operator create alice --expires 30d",
	}, newOperatorCreateCommand(a), newKeyListCommand(a, "operator", true), newKeyRevokeCommand(a, "operator", true))
}

func newOperatorCreateCommand(a *app) *cobra.Command {
	var from networks
	var expires moment
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Print the new credential of an operator",
		Long: `Create prints the credential of an operator, and nothing else, on the standard output. It is shown only here. Whoever has it can
do everything. It lives 90 days if --expires does not say otherwise.`,
		Example: "  keyward operator create alice --expires 30d --network 10.0.0.0/8",
		Args:    want(1, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			k := vault.Key{Name: args[0], Operator: true, Limits: vault.Grant{Networks: from}, Expires: expires.Time}
			return a.newKey(cmd.Context(), k)
		},
	}
	c.Flags().Var(&from, "network", fromNetwork)
	c.Flags().Var(&expires, "expires", "when it ends, as 90d or 2027-01-31; at most 366 days away")
	return c
}
