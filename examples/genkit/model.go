// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/firebase/genkit/go/ai"
	"github.com/firebase/genkit/go/genkit"

	"github.com/keyward-go/keyward/examples/internal/script"
)

// newModel defines a model of genkit that does what its script says.
func newModel(g *genkit.Genkit, s *script.Script) ai.Model {
	can := &ai.ModelOptions{Supports: &ai.ModelSupports{Tools: true, Multiturn: true}}
	return genkit.DefineModel(g, "script/model", can, func(_ context.Context, req *ai.ModelRequest, _ ai.ModelStreamCallback) (*ai.ModelResponse, error) {
		read := "" // the last message is the answer to the call of the turn before
		for _, part := range req.Messages[len(req.Messages)-1].Content {
			if part.IsToolResponse() {
				read = fmt.Sprint(part.ToolResponse.Output)
			}
		}
		call, ok := s.Turn(read)
		if !ok {
			return &ai.ModelResponse{Request: req, Message: ai.NewModelTextMessage(s.Final)}, nil
		}
		var args any
		if json.Unmarshal([]byte(call.Args), &args) != nil {
			args = call.Args // what is no JSON, genkit's models pass on as text
		}
		request := ai.NewToolRequestPart(&ai.ToolRequest{Ref: s.ID(), Name: call.Tool, Input: args})
		return &ai.ModelResponse{Request: req, Message: ai.NewModelMessage(request)}, nil
	})
}
