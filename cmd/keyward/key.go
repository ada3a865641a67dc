// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

const keyLife = 90 * 24 * time.Hour

// newKey makes a key and prints it.
func (a *app) newKey(ctx context.Context, k vault.Key) error {
	if k.Expires.IsZero() {
		k.Expires = time.Now().Add(keyLife).Truncate(time.Second)
	}
	return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error {
		id, bearer, err := op.NewKey(ctx, k, a.reason)
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(map[string]any{"key": bearer.Reveal(), "id": id, "name": k.Name, "expires": k.Expires.UTC()})
		}
		a.printf("%s of %s, ends %s; it is shown only now", id, k.Name, when(k.Expires))
		a.sayNetworks(k.Limits.Networks)
		return a.printValue(bearer.Reveal())
	})
}

// keyJSON is an agent key or operator.
type keyJSON struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Scopes   []string  `json:"scopes,omitempty"`
	Networks []string  `json:"networks,omitempty"`
	TTL      float64   `json:"ttl_seconds,omitempty"`
	MaxUses  int       `json:"max_uses,omitempty"`
	Expires  time.Time `json:"expires"`
	State    string    `json:"state"` // alive, expired or revoked
}

func newKeyListCommand(a *app, kind string, operators bool) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List them, without what is secret",
		Example: "  keyward " + kind + " list --json",
		Args:    want(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error {
				keys, err := op.Keys(ctx)
				if err != nil {
					return err
				}
				out := []keyJSON{}
				var rows [][]string
				for _, k := range keys {
					if k.Operator != operators {
						continue
					}
					g := k.Limits
					j := keyJSON{k.ID, k.Name, strings.Fields(g.Scopes.String()), texts(g.Networks), g.TTL.Seconds(), g.MaxUses, k.Expires, keyState(k)}
					out = append(out, j)
					rows = append(rows, []string{short(j.ID), j.Name, j.State, g.Scopes.String(), strings.Join(j.Networks, " "), when(j.Expires)})
				}
				return a.printTable(out, "ID NAME STATE SCOPES NETWORKS EXPIRES", rows)
			})
		},
	}
}

func keyState(k vault.Key) string {
	switch {
	case k.Revoked:
		return "revoked"
	case !time.Now().Before(k.Expires):
		return "expired"
	}
	return "alive"
}

func newKeyRevokeCommand(a *app, kind string, operators bool) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "End one, and every token that was issued under it",
		Example: "  keyward " + kind + " revoke key:00112233445566778899aabbccddeeff --reason 'left the company'",
		Args:    want(1, 1, "ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error {
				keys, err := op.Keys(ctx)
				if err != nil {
					return err
				}
				var all []string
				for _, k := range keys {
					if k.Operator == operators {
						all = append(all, k.ID)
					}
				}
				id, err := whole(args[0], all)
				if err != nil {
					return err
				}
				if !slices.Contains(all, id) {
					return fmt.Errorf("%w: keyward %s list shows the ids, which begin with key:", vault.ErrNotFound, kind)
				}
				if err := op.Revoke(ctx, id, a.reason); err != nil {
					return err
				}
				a.printf("%s is revoked, with every token that was issued under it", id)
				return nil
			})
		},
	}
}
