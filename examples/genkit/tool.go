// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"

	"github.com/firebase/genkit/go/ai"

	"github.com/keyward-go/keyward/agent"
)

// toolsOf makes tools of ours genkit's. They are for one call of Generate and not registered, since genkit panics at a second
// tool of one name.
func toolsOf(a *agent.Agent) ([]ai.ToolRef, error) {
	var out []ai.ToolRef
	for _, t := range a.Tools() {
		var schema map[string]any
		if err := json.Unmarshal(t.Schema(), &schema); err != nil {
			return nil, err
		}
		// Genkit ends the run on input that is not as the schema says. What it lets through is checked, answered and recorded by us.
		delete(schema, "additionalProperties")
		out = append(out, genkitTool(t, schema))
	}
	return out, nil
}

func genkitTool(t *agent.Tool, schema map[string]any) ai.ToolRef {
	return ai.NewTool(t.Name(), t.Description(), func(ctx *ai.ToolContext, input any) (string, error) {
		args, err := json.Marshal(input)
		if err != nil {
			return "", err
		}
		return t.Call(ctx, string(args)) // a refusal is an answer; an error is a fault, and ends the run
	}, ai.WithInputSchema(schema))
}
