// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"context"
	"errors"
	"slices"
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

// A use is decided and recorded with the method and the place that the developer states, and with the argument's name.
func TestHandlesMethods(t *testing.T) {
	const get, post = "GET api.example.com/v1", "POST api.example.com/v1"
	for _, c := range []struct {
		policy, stated string
		method         string // as recorded; empty: refused
	}{
		{get, "https://api.example.com/v1/items", "GET"},
		{get, "GET https://api.example.com/v1/items", "GET"},
		{get, "POST https://api.example.com/v1/items", ""},
		{post, "POST https://api.example.com/v1/items", "POST"},
		{post, "https://api.example.com/v1/items", ""},
		{"GET,POST api.example.com", "POST https://api.example.com", "POST"},
		{"api.example.com", "DELETE https://api.example.com/v1", "DELETE"},
		{post, "POST https://api.example.com/v2", ""},
		{post, "", ""},
	} {
		v := open(t)
		if err := v.Operator("test").SetPolicy(t.Context(), search, vault.Policy{Hosts: []string{c.policy}}, "a test"); err != nil {
			t.Fatal(err)
		}
		a := newAgent(t, v, "researcher", "secrets:use:production/search/*")
		ran := false
		answer, err := a.Wrap(func(context.Context, string) (string, error) {
			ran = true
			return "done", nil
		}, agent.Handles{"key": c.stated})(t.Context(), `{"key":"{{secret:`+search+`}}"}`)
		r := last(t, v)
		if err != nil || ran != (c.method != "") || ran != (answer == "done") || ran != (r.Outcome == audit.Granted) ||
			ran && (r.Method != c.method || r.Host != "api.example.com") || r.Reason != `a handle in the argument "key" of a tool` {
			t.Errorf("%q under %q: %q, %v; recorded as %+v", c.stated, c.policy, answer, err, r)
		}
	}
}

// One secret in two arguments goes to two places: each is a use.
func TestHandlesTwoArguments(t *testing.T) {
	v := open(t)
	a := newAgent(t, v, "researcher", "secrets:use:production/search/*")
	got := ""
	_, err := a.Wrap(func(_ context.Context, args string) (string, error) { got = args; return "", nil },
		agent.Handles{"a": "", "b": ""})(t.Context(), `{"a":"{{secret:`+search+`}} {{secret:`+search+`}}","b":"{{secret:`+search+`}}"}`)
	if want := `{"a":"` + canary + " " + canary + `","b":"` + canary + `"}`; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	var reasons []string
	for _, r := range records(t, v, audit.Filter{Agent: "researcher"}) {
		if r.Op == "use" {
			reasons = append(reasons, r.Reason)
		}
	}
	if want := []string{`a handle in the argument "a" of a tool`, `a handle in the argument "b" of a tool`}; !slices.Equal(reasons, want) {
		t.Errorf("%q", reasons)
	}
}

// A mistake of the developer's is an error at every call, whatever the model writes, and no malformed input: it names the
// argument and not the URL.
func TestHandlesMistakes(t *testing.T) {
	v := open(t)
	a := newAgent(t, v, "researcher", "secrets:use:production/search/*")
	before := len(records(t, v, audit.Filter{}))
	const fine = "POST https://api.example.com/v1"
	for name, h := range map[string]agent.Handles{
		"no scheme":           {"key": "api.example.com/hush"},
		"another scheme":      {"key": "ftp://api.example.com/hush"},
		"upper case":          {"key": "https://API.example.com/hush"},
		"a query":             {"key": "https://api.example.com/?key=hush"},
		"userinfo":            {"key": "https://hush@api.example.com/"},
		"dot segments":        {"key": "https://api.example.com/hush/../v1"},
		"a path alone":        {"key": "/hush"},
		"two methods":         {"key": "GET,POST https://api.example.com/hush"},
		"a method below":      {"key": "post https://api.example.com/hush"},
		"a method alone":      {"key": "POST"},
		"a method and no URL": {"key": "POST "},
		"a space in front":    {"key": " https://api.example.com/hush"},
		"two spaces":          {"key": "POST  https://api.example.com/hush"},
		"one of two":          {"other": fine, "key": "hush"},
		"no name":             {"": fine},
		"half a name":         {"headers.": fine},
		"a list":              {"keys[]": fine},
		"a long name":         {strings.Repeat("k", 129): fine},
	} {
		f := a.Wrap(func(context.Context, string) (string, error) { t.Errorf("%s: the tool ran", name); return "", nil }, h)
		for _, args := range []string{`{}`, `{"key":"{{secret:` + search + `}}"}`, "no JSON"} {
			answer, err := f(t.Context(), args)
			if answer != "" || !errors.Is(err, vault.ErrInvalid) || !strings.HasPrefix(err.Error(), "agent: Handles: argument ") ||
				h["key"] != "" && !strings.Contains(err.Error(), `"key"`) || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s: %q, %v", name, answer, err)
			}
		}
	}
	if n := len(records(t, v, audit.Filter{})) - before; n != 0 { // no use was asked for
		t.Errorf("%d records", n)
	}
	if _, err := a.Wrap(func(context.Context, string) (string, error) { return "", nil }, agent.Handles{"headers.X-Key": fine, "token": ""})(t.Context(), `{}`); err != nil {
		t.Error(err)
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
