// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/agent/mcp"
	"github.com/keyward-go/keyward/vault"
)

func newMCPCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "mcp",
		Short: "Serve the tools of one agent to the MCP client that started this",
		Long: `Mcp is started by an MCP client and serves it, on the standard input and output, what the token in KEYWARD_TOKEN is good for.
The process opens the vault itself, so it can read what its user can read: an agent that runs under another user, or that you do
not trust with that, is given /mcp of keyward serve.`,
		Example: `  KEYWARD_TOKEN=$(keyward token issue --agent researcher --scope 'secrets:use:production/*') keyward mcp`,
		Args:    want(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.token.Reveal() == "" {
				return usagef("%s is not set: it holds the token of the agent", tokenEnv)
			}
			ctx := cmd.Context()
			return a.withVault(ctx, func(v *vault.Vault) error { return a.serveTools(ctx, v) })
		},
	}
}

func (a *app) serveTools(ctx context.Context, v *vault.Vault) error {
	held, err := agent.New(ctx, v.Session(a.token, netip.Addr{}))
	if err != nil {
		return err
	}
	err = mcp.NewServer(held, a.faults()).Run(ctx, mcp.Stdio())
	if errors.Is(err, io.EOF) || ctx.Err() != nil { // the client has ended, or this was
		return nil
	}
	return err
}
