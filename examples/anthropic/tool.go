// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"

	"github.com/anthropics/anthropic-sdk-go"

	"github.com/keyward-go/keyward/agent"
)

// betaTool is a tool of ours as one of the SDK's: Name and Description are those of the Tool.
type betaTool struct {
	*agent.Tool
	schema anthropic.BetaToolInputSchemaParam
}

func toolsOf(a *agent.Agent) ([]anthropic.BetaTool, error) {
	var out []anthropic.BetaTool
	for _, t := range a.Tools() {
		tool := betaTool{Tool: t}
		if err := tool.schema.UnmarshalJSON(t.Schema()); err != nil {
			return nil, err
		}
		out = append(out, tool)
	}
	return out, nil
}

func (t betaTool) InputSchema() anthropic.BetaToolInputSchemaParam { return t.schema }

// Execute answers a refusal as text. The runner tells the model of an error, which is a fault and has a fixed text, and goes on.
func (t betaTool) Execute(ctx context.Context, input json.RawMessage) ([]anthropic.BetaToolResultBlockParamContentUnion, error) {
	text, err := t.Call(ctx, string(input))
	if err != nil {
		return nil, err
	}
	return []anthropic.BetaToolResultBlockParamContentUnion{{OfText: &anthropic.BetaTextBlockParam{Text: text}}}, nil
}
