// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/agent/mcp"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

func newMCPCommand(a *app) *cobra.Command {
	var g vault.Grant
	var scopes []string
	c := &cobra.Command{
		Use:   "mcp [--agent NAME] [--scope SCOPE…]",
		Short: "Serve the tools of one agent to the MCP client that started this",
		Long: `Mcp is started by an MCP client and serves it the tools of an agent on the standard input and output. As which agent, and in
which scope, it acts:

  with KEYWARD_TOKEN a token                as that token says, or narrower
  with KEYWARD_TOKEN the key of an agent    within the key's limits; all of them, if no flag says otherwise
  without KEYWARD_TOKEN                     as you let it with --agent and --scope, recorded under your name

Without a token of its own it gets one, which ends with this process, after 24 hours at the latest, or after the longest life
that the key allows. Let the client start it again then.

The configuration of a client that keeps one, as many of them read it:

  {"mcpServers": {"keyward": {"command": "keyward",
    "args": ["mcp", "--agent", "researcher", "--scope", "secrets:use:production/*"]}}}

The process opens the vault itself, so it can read what its user can read: an agent that runs under another user, or that you do
not trust with that, is given /mcp of keyward serve.`,
		Example: `  keyward mcp --agent researcher --scope 'secrets:use:production/*'
  KEYWARD_TOKEN=$(keyward token issue --agent researcher --scope 'secrets:use:production/*') keyward mcp`,
		Args: want(0, 0, "[--agent NAME] [--scope SCOPE…]"),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if a.token.Reveal() == "" && (g.Agent == "" || len(scopes) == 0) {
				return usagef(`say which agent this is for: --agent NAME and --scope SCOPE, or a token in %s
  keyward token issue makes one; keyward mcp --help has a configuration for clients`, tokenEnv)
			}
			if len(scopes) > 0 {
				if g.Scopes, err = scope.Parse(scopes...); err != nil {
					return usagef("--scope: %v", err)
				}
			}
			ctx := cmd.Context()
			return a.withVault(ctx, func(v *vault.Vault) error { return a.withAgent(ctx, v, g, a.serveTools) })
		},
	}
	c.Flags().StringVar(&g.Agent, "agent", "", "the `NAME` of who acts, as researcher or researcher/summariser")
	c.Flags().StringArrayVar(&scopes, "scope", nil, "what it may do, as the `SCOPE` 'secrets:use:production/search/*'; may be repeated")
	return c
}

// withAgent calls f with the session of the token that there is, or of one for as long as f runs.
func (a *app) withAgent(ctx context.Context, v *vault.Vault, g vault.Grant, f func(context.Context, *vault.Session) error) error {
	text, s := a.token.Reveal(), v.Session(a.token, netip.Addr{})
	switch {
	case text == "", strings.HasPrefix(text, "kw_op_"):
		op, err := a.operator(v)
		if err != nil {
			return err
		}
		return op.Spawn(ctx, g, f)
	case strings.HasPrefix(text, "kw_tok_") && g.Agent == "" && g.Scopes.IsZero():
		return f(ctx, s)
	case strings.HasPrefix(text, "kw_agent_") && g.Scopes.IsZero():
		claims, err := s.Claims(ctx)
		if err != nil {
			return err
		}
		g.Scopes = claims[0].Grant.Scopes
	}
	return s.Spawn(ctx, g, f)
}

func (a *app) serveTools(ctx context.Context, s *vault.Session) error {
	held, err := agent.New(ctx, s)
	if err != nil {
		return err
	}
	err = mcp.NewServer(held, a.faults()).Run(ctx, mcp.Stdio())
	if errors.Is(err, io.EOF) || ctx.Err() != nil { // the client has ended, or this was
		return nil
	}
	return err
}
