// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/cloudwego/eino/components/tool"
	"github.com/cloudwego/eino/compose"
	"github.com/cloudwego/eino/schema"
	"github.com/eino-contrib/jsonschema"

	"github.com/keyward-go/keyward/agent"
)

// einoTool is a tool of ours as one of eino's. (utils.InferTool would take t.Call with a struct of its own for the input, but
// ends the run on input of a wrong type, ignores unknown keys, and drops the bounds of the schema.)
type einoTool struct{ *agent.Tool }

func toolsOf(a *agent.Agent) []tool.BaseTool {
	var out []tool.BaseTool
	for _, t := range a.Tools() {
		out = append(out, einoTool{t})
	}
	return out
}

// Info passes the schema on.
func (t einoTool) Info(context.Context) (*schema.ToolInfo, error) {
	input := &jsonschema.Schema{}
	if err := input.UnmarshalJSON(t.Schema()); err != nil {
		return nil, err
	}
	return &schema.ToolInfo{Name: t.Name(), Desc: t.Description(), ParamsOneOf: schema.NewParamsOneOfByJSONSchema(input)}, nil
}

// InvokableRun gives the id of the call to the record. A refusal is an answer; an error is a fault, and ends the run.
func (t einoTool) InvokableRun(ctx context.Context, args string, _ ...tool.Option) (string, error) {
	return t.Invoke(ctx, compose.GetToolCallID(ctx), args)
}

// IsCallbacksEnabled says that the tool calls the callbacks of tools itself, which it does not: its answers are not for them.
// Those of the tools node and of the model still get them.
func (t einoTool) IsCallbacksEnabled() bool { return true }
