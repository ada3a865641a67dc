// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

// maxHandles bounds the handles in one call of a tool, those that are equal too: values are longer than they are.
const maxHandles = 16

var handle = regexp.MustCompile(`\{\{secret:([^{}]*)\}\}`)

// Handles says where a model may write {{secret:path}} in the arguments of a tool, in place of a value that it does not know:
// by argument, where the tool sends it:
//
//	[METHOD ]URL
//
// as in "POST https://api.example.com/v1/items"; the method is GET if none is given. The policy of the path must name that
// method and place. Empty is for what does not go over HTTP, and for paths without hosts.
//
// An argument is named as the JSON spells and cases it; one inside of an object with dots, as in "headers.Authorization". Lists
// take no handles.
//
// Method and URL are a statement of yours. They are what is decided and recorded, and nothing holds the tool to them: a tool
// that posts where GET is stated has posted. Name no argument from which the tool makes a URL, a file name, a query or a message:
// the place must be the one that is stated here, whatever the model writes.
type Handles map[string]string

// Wrap returns f, a tool that takes one JSON object as text, such that the handles in its arguments are resolved when it is
// called: each is a use of its own, decided and recorded before f runs, with the name of its argument as the reason and without
// the id of a call, which only Resolve takes. What f returns, and the text of its error, are masked; a panic of f is an error.
// A handle in another argument, in a key, in text that looks like a URL, or a malformed one, is answered with a fixed text, as a
// refusal is, and f does not run.
//
// A mistake in h, such as a URL that no policy can name, is the developer's: every call is an error, vault.ErrInvalid, that says
// which argument it is about, and f does not run.
func (a *Agent) Wrap(f func(ctx context.Context, args string) (string, error), h Handles) func(ctx context.Context, args string) (string, error) {
	return func(ctx context.Context, args string) (answer string, err error) {
		refusal, err := a.Resolve(ctx, "", json.RawMessage(args), h, func(args json.RawMessage) (err error) {
			defer func() {
				if p := recover(); p != nil { // not printed: it may hold a value
					answer, err = "", &fault{"a wrapped tool", fmt.Errorf("panicked with a %T", p)}
				}
			}()
			answer, err = f(ctx, string(args))
			answer = a.redactor.String(answer)
			return a.maskError(err)
		})
		if refusal != "" {
			return refusal, nil
		}
		return answer, err
	}
}

// Resolve is what Wrap does, for adapters: it resolves the handles in args, a JSON object, and calls f with the result while
// the values are lent; call is the id of the tool call, for the records. If f was not called for what the model wrote or may
// not do, refusal is the fixed text for it; any other error is a fault, or that of f as it is. What f has got must be masked
// by the caller, with Redactor, before a model sees it.
func (a *Agent) Resolve(ctx context.Context, call string, args json.RawMessage, h Handles, f func(json.RawMessage) error) (refusal string, err error) {
	named, err := h.targets()
	if err != nil {
		return "", err
	}
	call = a.text(call)
	if !handle.Match(args) && !strings.Contains(string(args), "{{secret") && !strings.Contains(string(args), `\u`) {
		return "", f(args)
	}
	var object map[string]any
	d := json.NewDecoder(strings.NewReader(string(args)))
	d.UseNumber()
	if err := one(d, &object); err != nil {
		answer, err := a.note(ctx, call, malformedText)
		return answer.Text, err
	}
	found, ok := named.find(object, target{})
	if !ok || len(found) > maxHandles || slices.ContainsFunc(found, func(p place) bool { return a.isValue(p.path) }) {
		answer, err := a.note(ctx, call, malformedText)
		return answer.Text, err
	}
	slices.SortFunc(found, func(a, b place) int {
		return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(a.argument, b.argument))
	})
	found = slices.Compact(found) // each is one use
	ran := false
	err = a.resolve(ctx, call, object, found, func(args json.RawMessage) error { ran = true; return f(args) })
	if ran || err == nil {
		return "", err
	}
	if text := refusalText(err); text != "" {
		return text, nil
	}
	return "", &fault{"the tool's handles", err}
}

// place is one use: a path, and where its value goes.
type place struct {
	path string
	target
}

// find returns every handle in v, or false if one stands where none may. to is the target of v itself, if it is one; h has those
// inside of it.
func (h targets) find(v any, to target) (found []place, ok bool) {
	switch v := v.(type) {
	case string:
		matches := handle.FindAllStringSubmatch(v, -1)
		n := strings.Count(v, "{{secret")
		if n != len(matches) || n > 0 && (to.argument == "" || strings.Contains(v, "://")) {
			return nil, false
		}
		for _, m := range matches {
			found = append(found, place{m[1], to})
		}
	case map[string]any:
		for key, e := range v {
			to := h[key]
			if strings.Contains(key, ".") { // it only looks like an argument inside of another
				to = target{}
			}
			f, ok := h.inside(key).find(e, to)
			if !ok || strings.Contains(key, "{{secret") {
				return nil, false
			}
			found = append(found, f...)
		}
	case []any:
		for _, e := range v {
			if _, ok := targets(nil).find(e, target{}); !ok {
				return nil, false
			}
		}
	}
	return found, true
}

// resolve calls f with the arguments, their handles replaced, while the values are lent.
func (a *Agent) resolve(ctx context.Context, call string, object map[string]any, uses []place, f func(json.RawMessage) error) error {
	var reqs []vault.Request
	for _, u := range uses {
		reqs = append(reqs, vault.Request{
			Path: u.path, Method: u.method, URL: u.url, Call: call,
			Reason: a.redactor.String(fmt.Sprintf("a handle in the argument %q of a tool", u.argument)),
		})
	}
	return a.use(ctx, reqs, func(values []string) error {
		byPath := map[string]string{}
		for i, u := range uses {
			byPath[u.path] = values[i]
		}
		args, err := json.Marshal(fill(object, byPath))
		if err != nil {
			return err
		}
		return f(args)
	})
}

// fill returns v with its handles replaced. Where they may stand find has checked.
func fill(v any, values map[string]string) any {
	switch v := v.(type) {
	case string:
		return handle.ReplaceAllStringFunc(v, func(h string) string { return values[handle.FindStringSubmatch(h)[1]] })
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, e := range v {
			out[key] = fill(e, values)
		}
		return out
	}
	return v
}

// maskError returns err itself if no way to print it shows a value, else an error with its text, masked.
func (a *Agent) maskError(err error) error {
	if err == nil {
		return nil
	}
	masked, _ := a.redactor.Any(err).(error)
	return masked
}
