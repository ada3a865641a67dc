// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// anthropic answers POST /v1/messages.
func (u *Upstream) anthropic(w http.ResponseWriter, body []byte) {
	var ask struct {
		Stream bool
		Tools  []struct{ Name string }
	}
	err := json.Unmarshal(body, &ask)
	var offered []string
	for _, t := range ask.Tools {
		offered = append(offered, t.Name)
	}
	t, err2 := u.turn(body, offered)
	if err != nil || err2 != nil {
		u.fail(w, http.StatusTeapot, errors.Join(err, err2))
		return
	}
	block, empty, stop := object{"type": "text", "text": t.Text}, object{"type": "text", "text": ""}, "end_turn"
	if t.Tool != "" {
		block = object{"type": "tool_use", "id": "toolu_1", "name": t.Tool, "input": t.Args}
		empty, stop = object{"type": "tool_use", "id": "toolu_1", "name": t.Tool, "input": object{}}, "tool_use"
	}
	usage := object{"input_tokens": 1, "output_tokens": 1}
	message := object{"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": []object{block},
		"stop_reason": stop, "stop_sequence": nil, "usage": usage}
	if !ask.Stream {
		writeJSON(w, message)
		return
	}
	message["content"], message["stop_reason"] = []object{}, nil
	send := func(kind string, data object) {
		data["type"] = kind
		event(w, kind, data)
	}
	send("message_start", object{"message": message})
	send("content_block_start", object{"index": 0, "content_block": empty})
	if t.Tool != "" {
		args, _ := json.Marshal(t.Args) // of a script: never an error
		send("content_block_delta", object{"index": 0, "delta": object{"type": "input_json_delta", "partial_json": string(args)}})
	}
	for _, word := range strings.SplitAfter(t.Text, " ") {
		if word != "" {
			send("content_block_delta", object{"index": 0, "delta": object{"type": "text_delta", "text": word}})
		}
	}
	send("content_block_stop", object{"index": 0})
	send("message_delta", object{"delta": object{"stop_reason": stop, "stop_sequence": nil}, "usage": object{"output_tokens": 1}})
	send("message_stop", object{})
}
