// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"

	"github.com/openai/openai-go/v3"

	"github.com/keyward-go/keyward/agent"
)

// toolsOf defines tools of ours for the model, and returns them by name for the loop.
func toolsOf(a *agent.Agent) (defined []openai.ChatCompletionToolUnionParam, byName map[string]*agent.Tool, err error) {
	byName = map[string]*agent.Tool{}
	for _, t := range a.Tools() {
		var schema openai.FunctionParameters
		if err := json.Unmarshal(t.Schema(), &schema); err != nil {
			return nil, nil, err
		}
		defined = append(defined, openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
			Name: t.Name(), Description: openai.String(t.Description()), Parameters: schema,
		}))
		byName[t.Name()] = t
	}
	return defined, byName, nil
}
