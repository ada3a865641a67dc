// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

func TestHandles(t *testing.T) {
	v := open(t)
	op := v.Operator("test")
	if _, err := op.Put(t.Context(), vault.Item{
		Path: "production/search/hosted", Value: vault.NewSecret("hosted-value-19ab"), Policy: vault.Policy{Hosts: []string{"api.example.com/v1"}},
	}); err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, v, "researcher", "secrets:use:production/search/*")
	var got []string
	f := a.Wrap(func(_ context.Context, args string) (string, error) {
		got = append(got, args)
		return "answer: " + args, nil
	}, agent.Handles{"token": "", "headers.X-Key": "https://api.example.com/v1/items"})

	const refused, malformed = "Refused", "Malformed"
	for _, c := range []struct{ name, args, want, answer string }{
		{"no handle", `{"q":"go","n":1.50}`, `{"q":"go","n":1.50}`, `answer: {"q":"go","n":1.50}`},
		{"not even JSON", `plain text`, `plain text`, `answer: plain text`},
		{"named", `{"token":"{{secret:production/search/key}}"}`, `{"token":"` + canary + `"}`, `answer: {"token":"[redacted]"}`},
		{"inside text", `{"token":"Key {{secret:production/search/key}}!","n":12345678901234567890}`,
			`{"n":12345678901234567890,"token":"Key ` + canary + `!"}`, `answer: {"n":12345678901234567890,"token":"Key [redacted]!"}`},
		{"escaped", `{"token":"\u007b{secret:production/search/key}}"}`, `{"token":"` + canary + `"}`, `answer: {"token":"[redacted]"}`},
		{"inside an object", `{"headers":{"X-Key":"{{secret:production/search/hosted}}"}}`,
			`{"headers":{"X-Key":"hosted-value-19ab"}}`, `answer: {"headers":{"X-Key":"[redacted]"}}`},

		{"another argument", `{"q":"{{secret:production/search/key}}"}`, "", malformed},
		{"a key", `{"{{secret:production/search/key}}":"x"}`, "", malformed},
		{"a list", `{"token":["{{secret:production/search/key}}"]}`, "", malformed},
		{"a URL", `{"token":"https://example.com/?k={{secret:production/search/key}}"}`, "", malformed},
		{"a dotted key", `{"headers.X-Key":"{{secret:production/search/hosted}}"}`, "", malformed},
		{"half a handle", `{"token":"{{secret:production/search/key}"}`, "", malformed},
		{"nested handles", `{"token":"{{secret:{{secret:production/search/key}}}}"}`, "", malformed},
		{"a bracket behind", `{"token":"{{secret:production/search/key}}"}]`, "", malformed},
		{"two objects", `{"token":"{{secret:production/search/key}}"} {}`, "", malformed},
		{"no path", `{"token":"{{secret:}}"}`, "", malformed},
		{"out of scope", `{"token":"{{secret:production/publishing/key}}"}`, "", refused},
		{"absent", `{"token":"{{secret:production/search/absent}}"}`, "", refused},
		{"to another place than its hosts", `{"token":"{{secret:production/search/hosted}}"}`, "", refused},
		{"hosts for what has none", `{"headers":{"X-Key":"{{secret:production/search/key}}"}}`, "", refused},
		{"one of two is refused", `{"token":"{{secret:production/search/key}} {{secret:production/publishing/key}}"}`, "", refused},
	} {
		got = nil
		before := len(records(t, v, audit.Filter{Agent: "researcher", Outcome: audit.Denied}))
		answer, err := f(t.Context(), c.args)
		denied := len(records(t, v, audit.Filter{Agent: "researcher", Outcome: audit.Denied})) - before
		if c.want != "" {
			if err != nil || answer != c.answer || len(got) != 1 || got[0] != c.want || denied != 0 {
				t.Errorf("%s: the tool got %q and answered %q, %v", c.name, got, answer, err)
			}
		} else if err != nil || !strings.HasPrefix(answer, c.answer) || len(got) != 0 || denied != 1 {
			t.Errorf("%s: the tool got %q and answered %q, %v; %d refusals recorded", c.name, got, answer, err, denied)
		}
	}
}

// The error of a tool is masked as its answer is, and stays itself where there is nothing to mask.
func TestHandlesMaskErrors(t *testing.T) {
	v := open(t)
	a := newAgent(t, v, "researcher", "secrets:use:production/search/*")
	args := `{"token":"{{secret:production/search/key}}"}`
	own := errors.New("upstream is down")
	for name, c := range map[string]struct{ err, is error }{
		"plain":  {own, own},
		"quotes": {errors.New("bad token " + canary), nil},
	} {
		_, err := a.Wrap(func(context.Context, string) (string, error) { return "", c.err }, agent.Handles{"token": ""})(t.Context(), args)
		if err == nil || strings.Contains(err.Error(), canary) || c.is != nil && !errors.Is(err, c.is) || c.is == nil && errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A tool that panics is an error that does not show what it was given.
func TestHandlesPanic(t *testing.T) {
	v := open(t)
	a := newAgent(t, v, "researcher", "secrets:use:production/search/*")
	for _, args := range []string{`{"token":"{{secret:production/search/key}}"}`, `{"token":"none"}`} {
		answer, err := a.Wrap(func(_ context.Context, args string) (string, error) { panic("bad: " + args) }, agent.Handles{"token": ""})(t.Context(), args)
		if answer != "" || err == nil || strings.Contains(err.Error(), canary) || strings.Contains(errors.Unwrap(err).Error(), canary) {
			t.Errorf("%q, %v", answer, err)
		}
	}
}
