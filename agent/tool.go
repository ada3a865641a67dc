// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/vault"
)

// What a model reads when it does not get what it asked for. The texts are fixed: a path that is outside of the scope, one
// that is frozen and one that does not exist look alike, and so do the ways in which a token can be dead.
const (
	refusedText = "Refused: this secret is not available to you for that, and asking again will not change it. " +
		"Go on without it, or say what you could not do."
	malformedText = "Malformed input. Send one JSON object as the schema of this tool says, with no other keys."
	waitText      = "Not now. Wait a moment before you call this tool again."
)

// Tool is one tool of one agent, bound to its token. It is safe for concurrent use. Its methods Name, Description and Call are
// those of a langchaingo tool as it is; Func is the same for the Microsoft Agent Framework for Go; any other framework needs
// a few lines around Name, Description, Schema and Invoke.
type Tool struct {
	agent             *Agent
	kind, description string
	schema            json.RawMessage
	run               func(ctx context.Context, call, input string) (string, error)
}

// Tools returns what the agent's grant is good for: get_secret for a right to read, http_request for a right to use,
// list_secrets for either and for a right to list. Each name ends in the agent's, so that agents which share one executor
// cannot take one another's. Two tokens of one agent have tools of the same names: give each an executor of its own.
func (a *Agent) Tools() []*Tool {
	var tools []*Tool
	if a.can.read {
		tools = append(tools, a.getSecret())
	}
	if a.can.use {
		tools = append(tools, a.httpRequest())
	}
	if a.can.list {
		tools = append(tools, a.listSecrets())
	}
	return tools
}

// Tool returns the tool of a kind, whatever the grant is good for: what it is not good for is refused at the call, and
// recorded. It is for surfaces that show every agent the same tools. Nil: there is no such kind.
func (a *Agent) Tool(kind string) *Tool {
	switch kind {
	case "get_secret":
		return a.getSecret()
	case "http_request":
		return a.httpRequest()
	case "list_secrets":
		return a.listSecrets()
	}
	return nil
}

// Name returns the tool's name, at most 64 bytes of [a-z0-9_-].
func (t *Tool) Name() string { return toolName(t.kind, t.agent.name) }

// Kind returns the name without the agent's: get_secret, http_request or list_secrets. It is a name for where one connection
// belongs to one agent.
func (t *Tool) Kind() string { return t.kind }

// Description returns what the model is told of the tool, the form of its input included, since some frameworks do not pass
// the schema on.
func (t *Tool) Description() string { return t.description }

// Schema returns the JSON schema of the input, valid as draft-07 and 2020-12. The caller may change the slice.
func (t *Tool) Schema() json.RawMessage { return append(json.RawMessage(nil), t.schema...) }

// Call is Invoke without the id of a call.
func (t *Tool) Call(ctx context.Context, input string) (string, error) {
	return t.Invoke(ctx, "", input)
}

// Invoke runs the tool. id is what the framework calls this call, for the record; input is what the model sent: the object of
// the schema, or what models make of it (a bare path, a JSON string, an object in a string).
//
// What the model did wrong or may not do is a fixed text and no error, since an error ends the run in most frameworks, and
// each is recorded. An error is a fault, of the vault, of the network or of ctx; its text is fixed too, and errors.Is finds
// the cause. A panic is an error.
func (t *Tool) Invoke(ctx context.Context, id, input string) (string, error) {
	answer, err := t.Ask(ctx, id, input)
	return answer.Text, err
}

// Answer is what a tool has to say to a model.
type Answer struct {
	Text string
	// Refusal is why Text is a fixed one, as errors.Is finds it (vault.ErrDenied, ErrDeadToken, ErrNotFound, ErrInvalid, ErrBusy,
	// ErrConflict); nil if the tool ran. It is for the program, and never for a model.
	Refusal error
}

// Ask is Invoke for adapters of protocols that tell a refusal from an answer.
func (t *Tool) Ask(ctx context.Context, id, input string) (answer Answer, err error) {
	defer func() {
		if p := recover(); p != nil { // not printed: it may hold what was being applied
			answer, err = Answer{}, fmt.Errorf("panicked with a %T", p)
		}
		if err != nil {
			err = &fault{t.Name(), err}
		}
	}()
	id = t.agent.text(id)
	if !t.agent.calls.Allow() {
		return t.agent.note(ctx, id, waitText)
	}
	text, err := t.run(ctx, id, input)
	if errors.Is(err, errMalformed) {
		return t.agent.note(ctx, id, malformedText)
	}
	if fixed := refusalText(err); fixed != "" {
		return Answer{fixed, err}, nil
	}
	return Answer{Text: text}, err
}

// refusalText is what a model is told of an error of the door that is no fault; empty if it is one.
func refusalText(err error) string {
	switch {
	case errors.Is(err, vault.ErrInvalid):
		return malformedText
	case errors.Is(err, vault.ErrDenied), errors.Is(err, vault.ErrNotFound):
		return refusedText
	case errors.Is(err, vault.ErrBusy), errors.Is(err, vault.ErrConflict):
		return waitText
	}
	return ""
}

// note answers, with a fixed text, a call that never got as far as a path: the door refuses the request that names none, and
// writes that down.
func (a *Agent) note(ctx context.Context, call, text string) (Answer, error) {
	_, err := a.session.Get(ctx, vault.Request{Call: call})
	if errors.Is(err, vault.ErrInvalid) || errors.Is(err, vault.ErrDenied) {
		return Answer{text, err}, nil
	}
	return Answer{}, err
}

// fault keeps its cause from whoever prints it, since that may be a model: errors.Is and errors.As find it.
type fault struct {
	tool  string
	cause error
}

func (f *fault) Error() string { return "agent: " + f.tool + " could not run; this is no refusal" }
func (f *fault) Unwrap() error { return f.cause }
