// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"

	"github.com/keyward-go/keyward/examples/internal/script"
)

// scripted is a model of eino that does what its script says.
type scripted struct{ *script.Script }

// Generate is a turn: the last message is the answer to the call of the turn before.
func (m *scripted) Generate(_ context.Context, messages []*schema.Message, _ ...model.Option) (*schema.Message, error) {
	call, ok := m.Turn(messages[len(messages)-1].Content)
	if !ok {
		return schema.AssistantMessage(m.Final, nil), nil
	}
	return schema.AssistantMessage("", []schema.ToolCall{{
		ID: m.ID(), Type: "function", Function: schema.FunctionCall{Name: call.Tool, Arguments: call.Args},
	}}), nil
}

// Stream is Generate in one piece.
func (m *scripted) Stream(ctx context.Context, messages []*schema.Message, opts ...model.Option) (*schema.StreamReader[*schema.Message], error) {
	message, err := m.Generate(ctx, messages, opts...)
	if err != nil {
		return nil, err
	}
	return schema.StreamReaderFromArray([]*schema.Message{message}), nil
}

// WithTools changes nothing: the script knows its tools.
func (m *scripted) WithTools([]*schema.ToolInfo) (model.ToolCallingChatModel, error) { return m, nil }
