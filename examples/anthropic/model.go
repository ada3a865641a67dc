// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/keyward-go/keyward/examples/internal/script"
)

// scripted is the API of messages, with a model behind it that does what its script says. It answers without a socket.
type scripted struct{ *script.Script }

type (
	block struct {
		Type  string          `json:"type"`
		Text  string          `json:"text,omitempty"`
		ID    string          `json:"id,omitempty"`
		Name  string          `json:"name,omitempty"`
		Input json.RawMessage `json:"input,omitempty"`
	}
	message struct {
		ID         string  `json:"id"`
		Type       string  `json:"type"`
		Role       string  `json:"role"`
		Model      string  `json:"model"`
		StopReason string  `json:"stop_reason"`
		Content    []block `json:"content"`
	}
	request struct {
		Messages []struct {
			Content []struct{ Content []struct{ Text string } } // of results of tools
		}
	}
)

// RoundTrip is a turn: the last message is the answer to the call of the turn before.
func (s scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	defer r.Body.Close()
	var asked request
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Messages) == 0 {
		return nil, errors.New("no messages")
	}
	read := ""
	for _, result := range asked.Messages[len(asked.Messages)-1].Content {
		for _, part := range result.Content {
			read = part.Text
		}
	}
	said := message{
		ID: "scripted", Type: "message", Role: "assistant", Model: "scripted",
		StopReason: "end_turn", Content: []block{{Type: "text", Text: s.Final}},
	}
	if call, ok := s.Turn(read); ok {
		input := json.RawMessage(call.Args)
		if !json.Valid(input) {
			input, _ = json.Marshal(call.Args) // the API sends JSON, whatever the model wrote
		}
		said.StopReason, said.Content = "tool_use", []block{{Type: "tool_use", ID: s.ID(), Name: call.Tool, Input: input}}
	}
	body, err := json.Marshal(said)
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), Request: r, ContentLength: int64(len(body)),
	}, err
}
