// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
			if err := a.missing(agent, flags.scopes); err != nil {
				return err
			}
			g, err := a.grant(flags)
			if err != nil {
				return err
			}
			g.Agent = agent
			if !cmd.Flags().Changed("ttl") && a.holds("kw_tok_") {
				g.TTL = 0 // as long as the token that it narrows
			}
			ctx := cmd.Context()
			return a.withVault(ctx, func(v *vault.Vault) error { return a.issue(ctx, v, g) })
		},
	}
	c.Flags().StringVar(&agent, "agent", "", "the `NAME` of who acts, as researcher or researcher/summariser")
	flags.add(c.Flags())
	return c
}

// missing refuses what the vault would, before anything is opened: a token that narrows another needs neither flag, one that the key
// of an agent gets has its agent.
func (a *app) missing(agent string, scopes []string) error {
	var flags []string
	if agent == "" && !a.holds("kw_tok_", "kw_agent_") {
		flags = append(flags, "--agent NAME")
	}
	if len(scopes) == 0 && !a.holds("kw_tok_") {
		flags = append(flags, "--scope SCOPE")
	}
	if len(flags) > 0 {
		return usagef("say for whom it is, and what it may do: %s; see keyward token issue --help", strings.Join(flags, " and "))
	}
	return nil
}

// holds reports whether KEYWARD_TOKEN is of one of these kinds.
func (a *app) holds(prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(a.token.Reveal(), p) })
}

func (a *app) issue(ctx context.Context, v *vault.Vault, g vault.Grant) error {
	c, err := a.callerOf(v)
	if err != nil {
		return err
	}
	s, err := c.Issue(ctx, g)
	if err != nil {
		return err
	}
	if len(g.Networks) > 0 { // the vault tells what it says only there
		s = v.Session(s.Token(), g.Networks[0].Addr())
	}
	claims, err := s.Claims(ctx)
	if err != nil {
		return err
	}
	id, expires := claims[len(claims)-1].ID, claims.Expires()
	if a.json {
		return a.printJSON(map[string]any{"token": s.Token().Reveal(), "id": id, "expires": expires, "agent": claims.Agent()})
	}
	a.printf("token %s, ends %s", id, when(expires))
	a.sayNetworks(g.Networks)
	return a.printValue(s.Token().Reveal())
}
