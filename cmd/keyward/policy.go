// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"reflect"
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
	items, err := c.List(ctx, vault.Request{Path: path, Reason: a.reason})
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return fmt.Errorf("%w: nothing is at %s; a policy is shown once there is a value", vault.ErrNotFound, path)
	}
	p := itemOf(items[0]).policyJSON
	return a.printTable(p, "TYPE TIER HOSTS NETWORKS PLACEMENT EXPIRES", [][]string{
		{p.Type, p.Tier, strings.Join(p.Hosts, "; "), strings.Join(p.Networks, " "), p.Placement, when(p.Expires)},
	})
}

func newPolicySetCommand(a *app) *cobra.Command {
	var flags policyFlags
	var none bool
	c := &cobra.Command{
		Use:   "set PATH",
		Short: "Replace the whole policy of a path",
		Long: `Set replaces the whole policy of a path: what no flag says is empty then. It may be done before the first value is there.
With --none the policy is empty: no hosts, so not for HTTP, and of the standard tier.`,
		Example: `  keyward policy set production/search/key --host api.tavily.com --host 'GET api.example.com/v1' --type api_key
  keyward policy set production/internal/key --host http://wiki.internal:8080 --network 10.0.0.0/8 --placement header:X-Api-Key
  keyward policy set production/db/password --none`,
		Args: want(1, 1, "PATH [--host HOST]… | --none"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, ctx := flags.policy(), cmd.Context()
			if empty := reflect.DeepEqual(p, vault.Policy{}); empty != none {
				return usagef("this replaces the whole policy: say what it is by flags, or by --none alone that it is empty")
			}
			return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error {
				if err := op.SetPolicy(ctx, args[0], p, a.reason); err != nil {
					return err
				}
				a.printf("the policy of %s is replaced", args[0])
				return nil
			})
		},
	}
	flags.add(c.Flags())
	c.Flags().BoolVar(&none, "none", false, "make the policy empty")
	return c
}

// policyFlags are the flags that make a policy.
type policyFlags struct {
	hosts                 []string
	networks              networks
	placement, kind, tier string
	expires               moment
}

func (p *policyFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&p.hosts, "host", nil, "a `HOST` where the value may be used, as 'api.example.com' or 'GET,POST api.example.com/v1'; may be repeated")
	f.Var(&p.networks, "network", "a network that the hosts may be in; without one only public addresses; may be repeated")
	f.StringVar(&p.placement, "placement", "", "where a request carries it: bearer, basic:USER, header:NAME or query:NAME (else bearer)")
	f.StringVar(&p.kind, "type", "", "api_key, oauth_token, db_credential, ssh_key, certificate or custom")
	f.StringVar(&p.tier, "tier", "", "standard, sensitive or critical (else standard)")
	f.Var(&p.expires, "expires", "when tokens may no longer use it, as 90d or 2027-01-31")
}

func (p *policyFlags) policy() vault.Policy {
	return vault.Policy{
		Type: p.kind, Tier: vault.Tier(p.tier), Hosts: p.hosts, Networks: p.networks, Placement: p.placement, Expires: p.expires.Time,
	}
}
