// SPDX-License-Identifier: Apache-2.0

package vendor

import (
	"context"
	"errors"

	"github.com/keyward-go/keyward/e2e/internal/kit"
)

// SDK is npm @agentsecretstore/sdk.
var SDK = kit.Group{
	Name:   "vendor-sdk",
	Proves: "@agentsecretstore/sdk 1.0.0: every method and typed error, and a sub-agent with a token where the SDK wants a key",
	Serve:  compat,
	Run: func(ctx context.Context, k *kit.Kit) error {
		researcher, err1 := k.Keyward(ctx, "", "agent", "create", "researcher", "--scope", "secrets:*:production/*", "--ttl", "1h")
		flood, err2 := k.Keyward(ctx, "", "agent", "create", "flood", "--scope", "secrets:read:flood/*", "--ttl", "1h")
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if _, err := start(ctx, k, "sdk.cjs", "RESEARCHER="+researcher, "FLOOD="+flood); err != nil {
			return err
		}
		return k.Expect(ctx, map[string]int{
			"researcher get production/search/tavily granted":            7,
			"researcher get production/env/B granted":                    1,
			"researcher get production/search/tavily denied (used_up)":   1,
			"researcher get production/search/tavily denied (not_found)": 1,
			"researcher get production/nothing denied (not_found)":       1,
			"researcher get production/payments/stripe denied (tier)":    1,
			"researcher get production/search/deep denied (not_found)":   1,
			"researcher get production/search/tavily denied (scope)":     1,
			"researcher get production/search/fromsub granted":           1,
			// Two that asked for nothing that there is: metadata that is no text, a scope that is none.
			"researcher get  denied (invalid)":                 1,
			"researcher get  denied (not_for_this_credential)": 1,
		})
	},
}

// MCP is npm @agentsecretstore/mcp.
var MCP = kit.Group{
	Name:   "vendor-mcp",
	Proves: "@agentsecretstore/mcp 1.0.0: its eight tools, over stdio with the official client",
	Serve:  compat,
	Run: func(ctx context.Context, k *kit.Kit) error {
		key, err := k.Keyward(ctx, "", "agent", "create", "researcher", "--scope", "secrets:*:production/*", "--ttl", "1h")
		if err != nil {
			return err
		}
		if _, err := start(ctx, k, "mcp.cjs", "RESEARCHER="+key); err != nil {
			return err
		}
		return k.Expect(ctx, map[string]int{
			"researcher get production/search/tavily granted":          1,
			"researcher get production/search/none denied (not_found)": 1,
			"researcher get  denied (not_for_this_credential)":         2, // a scope that an agent cannot have, an approval that is none
		})
	},
}

// CLI is npm @agentsecretstore/cli.
var CLI = kit.Group{
	Name:   "vendor-cli",
	Proves: "@agentsecretstore/cli 1.0.0: its commands with an operator's credential, a key and a token, and its prompts on a terminal",
	Serve:  compat,
	Run: func(ctx context.Context, k *kit.Kit) error {
		alice, err := k.Keyward(ctx, "", "operator", "create", "alice")
		if err != nil {
			return err
		}
		if _, err := start(ctx, k, "cli.cjs", "ALICE="+alice); err != nil {
			return err
		}
		return k.Expect(ctx, map[string]int{
			"prod-bot get production/env/A granted":            1,
			"prod-bot get staging/db/url denied (scope)":       1,
			"prod-bot get production/env/A denied (key_ended)": 1,
			"prod-bot get  denied (not_for_this_credential)":   1, // a scope that an agent cannot have
		})
	},
}
