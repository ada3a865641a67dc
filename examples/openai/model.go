// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http"

	"github.com/keyward-go/keyward/examples/internal/script"
)

// scripted is the API of chat completions, with a model behind it that does what its script says.
type scripted struct{ *script.Script }

type (
	function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	}
	toolCall struct {
		ID       string   `json:"id"`
		Type     string   `json:"type"`
		Function function `json:"function"`
	}
	message struct {
		Role      string     `json:"role"`
		Content   string     `json:"content"`
		ToolCalls []toolCall `json:"tool_calls,omitempty"`
	}
	choice struct {
		FinishReason string  `json:"finish_reason"`
		Message      message `json:"message"`
	}
	completion struct {
		ID      string   `json:"id"`
		Object  string   `json:"object"`
		Choices []choice `json:"choices"`
	}
)

// ServeHTTP is a turn: the last message is the answer to the call of the turn before.
func (s scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Messages []struct{ Content string }
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil || len(request.Messages) == 0 {
		http.Error(w, "no messages", http.StatusBadRequest)
		return
	}
	said := choice{FinishReason: "stop", Message: message{Role: "assistant", Content: s.Final}}
	if call, ok := s.Turn(request.Messages[len(request.Messages)-1].Content); ok {
		said = choice{FinishReason: "tool_calls", Message: message{Role: "assistant", ToolCalls: []toolCall{
			{ID: s.ID(), Type: "function", Function: function{call.Tool, call.Args}},
		}}}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(completion{ID: "scripted", Object: "chat.completion", Choices: []choice{said}}) // to the SDK
}
