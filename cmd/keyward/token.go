// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

func newTokenCommand(a *app) *cobra.Command {
	return family(&cobra.Command{
		Use:     "token",
		Short:   "Issue tokens to agents, and end them",
		Example: "  keyward token issue --agent researcher --scope 'secrets:use:production/search/*'",
	}, newTokenIssueCommand(a), newTokenListCommand(a), newTokenRevokeCommand(a))
}

func newTokenIssueCommand(a *app) *cobra.Command {
	var flags grantFlags
	var agent string
	flags.ttl = span(30 * time.Minute)
	c := &cobra.Command{
		Use:   "issue --agent NAME --scope SCOPE…",
		Short: "Print a new token",
		Long: `Issue prints a token, and nothing else, on the standard output: what an agent carries, for a time, in a scope. A scope is
secrets:ACTION:PATTERN; the action is use (have it applied), read (see it), write, delete, list or *. With KEYWARD_TOKEN set to
the key of an agent it is a token of that agent, and set to a token it is a narrower one.`,
		Example: `  keyward token issue --agent researcher --scope 'secrets:use:production/search/*'
  KEYWARD_TOKEN=$(keyward token issue --agent writer --scope secrets:use:production/blog/key --ttl 1h --uses 20) python worker.py`,
		Args: want(0, 0, "--agent NAME --scope SCOPE…"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			g, err := a.grant(flags)
			if err != nil {
				return err
			}
			g.Agent = agent
			if !cmd.Flags().Changed("ttl") && strings.HasPrefix(a.token.Reveal(), "kw_tok_") {
				g.TTL = 0 // as long as the token that it narrows
			}
			ctx := cmd.Context()
			return a.withCaller(ctx, func(c caller) error { return a.issue(ctx, c, g) })
		},
	}
	c.Flags().StringVar(&agent, "agent", "", "the `NAME` of who acts, as researcher or researcher/summariser")
	flags.add(c.Flags())
	return c
}

// grantFlags are the flags that make a grant.
type grantFlags struct {
	scopes                         []string
	ttl                            span
	uses                           int
	run, user, tenant, description string
	networks                       networks
}

func (g *grantFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&g.scopes, "scope", nil, "what it may do, as the `SCOPE` 'secrets:use:production/search/*'; may be repeated")
	f.Var(&g.ttl, "ttl", "how long a token lives")
	f.IntVar(&g.uses, "uses", 0, "how often it may be used (else not limited)")
	f.StringVar(&g.run, "run", "", "the run that it is for")
	f.StringVar(&g.user, "user", "", "the user that it is for")
	f.StringVar(&g.tenant, "tenant", "", "the tenant that it is for")
	f.StringVar(&g.description, "description", "", "a few words for the records")
	f.Var(&g.networks, "network", "a network that it may be used from; may be repeated")
}

// grant makes a grant of the flags.
func (a *app) grant(f grantFlags) (g vault.Grant, err error) {
	if f.description == "" {
		f.description = a.reason
	}
	g = vault.Grant{
		Run: f.run, User: f.user, Tenant: f.tenant, Description: f.description, TTL: time.Duration(f.ttl), MaxUses: f.uses, Networks: f.networks,
	}
	if len(f.scopes) > 0 {
		if g.Scopes, err = scope.Parse(f.scopes...); err != nil {
			return g, usagef("--scope: %v", err)
		}
	}
	return g, nil
}

func (a *app) issue(ctx context.Context, c caller, g vault.Grant) error {
	s, err := c.Issue(ctx, g)
	if err != nil {
		return err
	}
	claims, err := s.Claims(ctx)
	if err != nil {
		return err
	}
	last, expires := claims[len(claims)-1], time.Time{}
	for _, l := range claims {
		if expires.IsZero() || !l.Expires.IsZero() && l.Expires.Before(expires) {
			expires = l.Expires
		}
	}
	if a.json {
		return a.printJSON(map[string]any{"token": s.Token().Reveal(), "id": last.ID, "expires": expires, "agent": last.Grant.Agent})
	}
	a.printf("token %s, ends %s", last.ID, when(expires))
	return a.printValue(s.Token().Reveal())
}
