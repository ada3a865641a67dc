// SPDX-License-Identifier: Apache-2.0

// Package script is what stands for a language model in the examples of frameworks: it calls the tools that it was told to
// call, one after the other, and prints what it reads.
package script

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Call is one tool call of a model, with its arguments as the model writes them.
type Call struct{ Tool, Args string }

// Request is the call of http_request for an agent.
func Request(agent, path, url, reason string) Call {
	args, _ := json.Marshal(map[string]string{"path": path, "url": url, "method": "POST", "reason": reason}) // strings
	return Call{"http_request_" + agent, string(args)}
}

// Script is what a model does. It is for one run of one agent.
type Script struct {
	Calls  []Call
	Final  string    // what it says when it is done
	Out    io.Writer // what it reads is printed here; nil: nowhere
	OnCall func()    // if not nil, is called before each call of a tool
	Read   []string  // what it has read, by call
	made   int
}

// Turn is one turn of the model. read is what the call of the last turn has answered. The model is done if ok is false.
func (s *Script) Turn(read string) (call Call, ok bool) {
	if s.made > len(s.Read) {
		s.Read = append(s.Read, read)
		s.print(s.Calls[s.made-1], read)
	}
	if s.made == len(s.Calls) {
		return Call{}, false
	}
	if s.OnCall != nil {
		s.OnCall()
	}
	s.made++
	return s.Calls[s.made-1], true
}

// ID is the id of the call that Turn returned last.
func (s *Script) ID() string { return fmt.Sprintf("call_%d", s.made) }

func (s *Script) print(c Call, read string) {
	if s.Out == nil {
		return
	}
	var args struct{ Path string }
	_ = json.Unmarshal([]byte(c.Args), &args) // printed as it is, if it is none
	fmt.Fprintf(s.Out, "  %-24s %-36s %s\n", c.Tool, args.Path, brief(read))
}

// brief is an answer of http_request as a status and a body, and of any other text the beginning.
func brief(read string) string {
	var answer struct {
		Status int
		Body   string
	}
	if json.Unmarshal([]byte(read), &answer) == nil && answer.Status != 0 {
		return fmt.Sprintf("%d %s", answer.Status, strings.TrimSpace(answer.Body))
	}
	first, _, cut := strings.Cut(read, " for that, ")
	if cut {
		first += " …"
	}
	return first
}
