// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/tmc/langchaingo/llms"

	"github.com/keyward-go/keyward/examples/internal/script"
)

// model is a model of langchaingo that does what its script says.
type model struct{ script *script.Script }

// GenerateContent is a turn: the last message is the answer to the call of the turn before.
func (m *model) GenerateContent(_ context.Context, messages []llms.MessageContent, _ ...llms.CallOption) (*llms.ContentResponse, error) {
	read := ""
	for _, part := range messages[len(messages)-1].Parts {
		if answer, ok := part.(llms.ToolCallResponse); ok {
			read = answer.Content
		}
	}
	choice := &llms.ContentChoice{}
	if call, ok := m.script.Turn(read); ok {
		choice.ToolCalls = []llms.ToolCall{{
			ID: m.script.ID(), Type: "function", FunctionCall: &llms.FunctionCall{Name: call.Tool, Arguments: call.Args},
		}}
	} else {
		choice.Content = m.script.Final
	}
	return &llms.ContentResponse{Choices: []*llms.ContentChoice{choice}}, nil
}

// Call is for models that cannot call tools.
func (m *model) Call(ctx context.Context, prompt string, opts ...llms.CallOption) (string, error) {
	return llms.GenerateFromSinglePrompt(ctx, m, prompt, opts...)
}
