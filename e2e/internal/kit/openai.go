// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

type object = map[string]any

// openAI answers POST /v1/chat/completions.
func (u *Upstream) openAI(w http.ResponseWriter, body []byte) {
	var ask struct {
		Stream        bool
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
		Tools []struct{ Function struct{ Name string } }
	}
	err := json.Unmarshal(body, &ask)
	var offered []string
	for _, t := range ask.Tools {
		offered = append(offered, t.Function.Name)
	}
	t, err2 := u.turn(body, offered)
	if err != nil || err2 != nil {
		u.fail(w, http.StatusTeapot, errors.Join(err, err2))
		return
	}
	message, finish := object{"role": "assistant", "content": t.Text}, "stop"
	if t.Tool != "" {
		args, _ := json.Marshal(t.Args) // of a script: never an error
		call := object{"index": 0, "id": "call_1", "type": "function", "function": object{"name": t.Tool, "arguments": string(args)}}
		message["tool_calls"], finish = []object{call}, "tool_calls"
		if t.Text == "" {
			message["content"] = nil
		}
	}
	usage := object{"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
	answer := func(kind string, choices ...object) object {
		return object{"id": "chatcmpl-1", "object": kind, "created": 1, "model": "gpt-4o", "choices": choices}
	}
	if !ask.Stream {
		a := answer("chat.completion", object{"index": 0, "message": message, "finish_reason": finish})
		a["usage"] = usage
		writeJSON(w, a)
		return
	}
	chunk := func(delta object, finish any) {
		event(w, "", answer("chat.completion.chunk", object{"index": 0, "delta": delta, "finish_reason": finish}))
	}
	if t.Tool != "" {
		chunk(message, nil)
		t.Text = ""
	}
	for _, word := range strings.SplitAfter(t.Text, " ") {
		chunk(object{"role": "assistant", "content": word}, nil)
	}
	chunk(object{}, finish)
	if ask.StreamOptions.IncludeUsage {
		a := answer("chat.completion.chunk")
		a["choices"], a["usage"] = []object{}, usage
		event(w, "", a)
	}
	_, _ = fmt.Fprint(w, "data: [DONE]\n\n") // the client is gone if it fails
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client is gone if it fails
}

// event sends one server-sent event.
func event(w http.ResponseWriter, name string, data object) {
	w.Header().Set("Content-Type", "text/event-stream")
	if name != "" {
		_, _ = fmt.Fprintf(w, "event: %s\n", name)
	}
	b, _ := json.Marshal(data)
	_, _ = fmt.Fprintf(w, "data: %s\n\n", b) // the client is gone if it fails
	_ = http.NewResponseController(w).Flush()
}
