// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyward-go/keyward/vault"
)

func newPolicyCommand(a *app) *cobra.Command {
	return family(&cobra.Command{
		Use:     "policy",
		Short:   "Say where a value may go",
		Example: "  keyward policy show production/search/key",
	}, newPolicyShowCommand(a), newPolicySetCommand(a))
}

func newPolicyShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show PATH",
		Short:   "Show the policy of a path",
		Example: "  keyward policy show production/search/key",
		Args:    want(1, 1, "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.withCaller(ctx, func(c caller) error { return a.showPolicy(ctx, c, args[0]) })
		},
	}
}

func (a *app) showPolicy(ctx context.Context, c caller, path string) error {
	if strings.HasSuffix(path, "*") {
		return usagef("a policy is of one path; keyward list shows those of many")
	}
	policy, found, err := a.policyOf(ctx, c, path)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: nothing is at %s; a policy is shown once there is a value", vault.ErrNotFound, path)
	}
	p := itemOf(vault.Item{Policy: policy}).policyJSON
	return a.printTable(p, "TYPE TIER HOSTS NETWORKS PLACEMENT EXPIRES", [][]string{
		{p.Type, p.Tier, strings.Join(p.Hosts, "; "), strings.Join(p.Networks, " "), p.Placement, when(p.Expires)},
	})
}

func newPolicySetCommand(a *app) *cobra.Command {
	var flags policyFlags
	var none bool
	c := &cobra.Command{
		Use:   "set PATH",
		Short: "Change the policy of a path",
		Long: `Set changes the policy of a path: what a flag says replaces what there was, all hosts and all networks with it, and the rest
stays. With --none nothing stays: no hosts, so not for HTTP, no expiry, and the standard tier, but for what other flags say.

It may be done before the first value is there; the policy is then what the flags say, and nothing of an earlier one stays.`,
		Example: `  keyward policy set production/search/key --host api.tavily.com --host 'GET api.example.com/v1' --type api_key
  keyward policy set production/internal/key --host http://wiki.internal:8080 --network 10.0.0.0/8 --placement header:X-Api-Key
  keyward policy set production/db/password --none`,
		Args: want(1, 1, "PATH [--host HOST]… [--none]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !none && !flags.changed(cmd.Flags()) {
				return usagef("say by flags what changes, or by --none that the policy is empty")
			}
			if err := flags.check(); err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error {
				return a.setPolicy(ctx, op, args[0], flags, none, cmd.Flags())
			})
		},
	}
	flags.add(c.Flags())
	c.Flags().BoolVar(&none, "none", false, "keep nothing of the policy that there is")
	return c
}

func (a *app) setPolicy(ctx context.Context, op *vault.Operator, path string, flags policyFlags, none bool, f *pflag.FlagSet) (err error) {
	var p vault.Policy
	if !none {
		if p, _, err = a.policyOf(ctx, op, path); err != nil {
			return err
		}
	}
	stays := flags.change(&p, f)
	if err := op.SetPolicy(ctx, path, p, a.reason); err != nil {
		return err
	}
	if len(stays) > 0 {
		a.printf("the policy of %s is set; as before: %s (--none drops what no flag says)", path, strings.Join(stays, ", "))
	} else {
		a.printf("the policy of %s is set", path)
	}
	a.warn(path, p)
	return nil
}
