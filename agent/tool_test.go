// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

// What models make of {"path": …, "reason": …}, and what comes of it.
func TestWhatModelsSend(t *testing.T) {
	v := open(t)
	get := tool(newAgent(t, v, "researcher", "secrets:read:production/search/*"), "get_secret")
	refused, err := get.Call(t.Context(), other)
	if err != nil || !strings.HasPrefix(refused, "Refused") {
		t.Fatalf("out of scope: %q, %v", refused, err)
	}
	malformed, err := get.Call(t.Context(), "{")
	if err != nil || !strings.HasPrefix(malformed, "Malformed") {
		t.Fatalf("half an object: %q, %v", malformed, err)
	}
	for _, c := range []struct{ input, want string }{
		{`{"path":"production/search/key"}`, canary},
		{`{"path":"production/search/key","reason":"to search"}`, canary},
		{` { "reason" : "r", "path" : "production/search/key" } `, canary},
		{search, canary},
		{"\n" + search + "\n", canary},
		{`"production/search/key"`, canary},
		{`"{\"path\":\"production/search/key\"}"`, canary},

		{`{"path":"production/publishing/key"}`, refused},
		{`{"path":"production/search/absent"}`, refused},
		{`{"path":"production/search/key/below"}`, refused},
		{`{"path":"production/publishing/absent"}`, refused},

		{``, malformed},
		{`{}`, malformed},
		{`{"path":"Production/../search"}`, malformed},
		{`{"path":"production/search/key","token":"kw_tok_AAAA"}`, malformed},
		{`{"path":"production/search/key","agent":"writer"}`, malformed},
		{`{"path":"production/search/key","version":1}`, malformed},
		{`{"path":["production/search/key"]}`, malformed},
		{`{"path":7}`, malformed},
		{`{"path":"production/search/key"} {"path":"production/search/key"}`, malformed},
		{`{"path":"production/search/key"}]`, malformed},
		{`["production/search/key"]`, malformed},
		{`"\"\\\"production/search/key\\\"\""`, malformed},
		{`"production/search/key`, malformed},
		{"production/search/key\x00", malformed},
		{`{"path":"production/search/key","reason":"` + strings.Repeat("r", 1<<20) + `"}`, malformed},
		{`{"path":"production/search/key","reason":"` + strings.Repeat("r", 2000) + `"}`, malformed},
		{strings.Repeat(" ", 1<<20), malformed},
	} {
		// Refusals of one token above 20 a second are counted: each input has its own.
		get := tool(newAgent(t, v, "researcher", "secrets:read:production/search/*"), "get_secret")
		before := len(records(t, v, audit.Filter{}))
		got, err := get.Call(t.Context(), c.input)
		if err != nil || got != c.want {
			t.Errorf("%.80q: %q, %v; want %q", c.input, got, err, c.want)
		}
		if n := len(records(t, v, audit.Filter{})) - before; n != 1 {
			t.Errorf("%.80q: %d records", c.input, n)
		}
		if r := last(t, v); r.Agent != "researcher" || (r.Outcome == audit.Granted) != (c.want == canary) {
			t.Errorf("%.80q: recorded as %+v", c.input, r)
		}
	}
}

// Whatever stops an agent, its model reads the same text: it tells neither what exists nor why.
func TestRefusalsLookAlike(t *testing.T) {
	v := open(t)
	op := v.Operator("test")
	texts := map[string]string{}
	ask := func(name string, a *agent.Agent, path string) {
		for _, kind := range []string{"get_secret", "http_request"} {
			answer, err := tool(a, kind).Call(t.Context(), fmt.Sprintf(`{"path":%q%s}`, path, map[bool]string{true: `,"url":"https://example.com/"`}[kind == "http_request"]))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			texts[answer] += " " + name
		}
	}
	a := newAgent(t, v, "researcher", "secrets:read:production/search/*")
	ask("scope", a, other)
	ask("absent, out of scope", a, "production/publishing/absent")
	ask("absent", a, "production/search/absent")
	if err := op.Freeze(t.Context(), vault.Frozen{Kind: "path", Value: "production/search/*"}, "a test"); err != nil {
		t.Fatal(err)
	}
	ask("frozen", a, search)
	ask("frozen, absent", a, "production/search/absent")
	s := vaulttest.Session(t, v, "writer", "secrets:read:*")
	dead, err := agent.New(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	claims, _ := s.Claims(t.Context())
	if err := op.Revoke(t.Context(), claims[0].ID, "a test"); err != nil {
		t.Fatal(err)
	}
	ask("revoked", dead, other)
	if len(texts) != 1 {
		t.Errorf("%d texts: %q", len(texts), texts)
	}
	for text := range texts {
		for _, word := range []string{"scope", "frozen", "exist", "found", "revoked", "expired", "production", "host"} {
			if strings.Contains(text, word) {
				t.Errorf("%q tells %q", text, word)
			}
		}
	}
}

// A fault is an error, of fixed text, and never a value.
func TestFaults(t *testing.T) {
	v := open(t)
	a := newAgent(t, v, "researcher", "secrets:read:*")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	check := func(name string, ctx context.Context, want error) {
		for kind, input := range map[string]string{
			"get_secret": search, "list_secrets": "", "http_request": `{"path":"production/search/key","url":"https://example.com/"}`,
		} {
			answer, err := tool(a, kind).Call(ctx, input)
			if answer != "" || !errors.Is(err, want) || strings.Contains(err.Error(), want.Error()) {
				t.Errorf("%s, %s: %q, %v", name, kind, answer, err)
			}
		}
		if answer, err := tool(a, "get_secret").Call(ctx, "{"); answer != "" || !errors.Is(err, want) {
			t.Errorf("%s, malformed: %q, %v", name, answer, err)
		}
	}
	check("cancelled", cancelled, context.Canceled)
	v.Close()
	check("closed", t.Context(), vault.ErrClosed)
}

func TestListSecrets(t *testing.T) {
	v := open(t)
	if err := v.Operator("test").SetPolicy(t.Context(), search, vault.Policy{Type: "api_key", Hosts: []string{"api.example.com/v1"}}, "a test"); err != nil {
		t.Fatal(err)
	}
	list := tool(newAgent(t, v, "researcher", "secrets:use:production/search/*"), "list_secrets")
	for _, input := range []string{"", "{}", `{"reason":"to know"}`, `{"pattern":"production/search/*"}`, "production/*"} {
		got, err := list.Call(t.Context(), input)
		if want := `{"secrets":[{"path":"production/search/key","type":"api_key","hosts":["api.example.com/v1"]}]}`; err != nil || got != want {
			t.Errorf("%q: %s, %v", input, got, err)
		}
	}
	if got, err := list.Call(t.Context(), "production/publishing/*"); err != nil || !strings.HasPrefix(got, "Refused") {
		t.Errorf("out of scope: %q, %v", got, err)
	}
}

// What a model writes is recorded, but for the values that its run has touched.
func TestFreeTextIsMasked(t *testing.T) {
	v := open(t)
	a := newAgent(t, v, "researcher", "secrets:read:*")
	get := tool(a, "get_secret")
	if _, err := get.Call(t.Context(), search); err != nil {
		t.Fatal(err)
	}
	if _, err := get.Invoke(t.Context(), "call-"+canary, `{"path":"production/search/key","reason":"I know `+canary+` now\u0007"}`); err != nil {
		t.Fatal(err)
	}
	if r := last(t, v); r.Reason != "I know [redacted] now\a" || r.Call != "call-[redacted]" {
		t.Errorf("recorded as %q, %q", r.Reason, r.Call)
	}
	quiet := withOptions(t, v, "writer", []string{"secrets:read:*"}, agent.WithoutFreeText())
	if _, err := tool(quiet, "get_secret").Invoke(t.Context(), "call", `{"path":"production/search/key","reason":"why"}`); err != nil {
		t.Fatal(err)
	}
	if r := last(t, v); r.Reason != "" || r.Call != "" {
		t.Errorf("free text was recorded: %q, %q", r.Reason, r.Call)
	}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := open(t)
		get := tool(withOptions(t, v, "researcher", []string{"secrets:read:*"}, agent.WithRate(1, 3)), "get_secret")
		granted := func(calls int) (n int) {
			for range calls {
				answer, err := get.Call(t.Context(), search)
				if err != nil {
					t.Fatal(err)
				}
				if answer == canary {
					n++
				} else if !strings.HasPrefix(answer, "Not now") {
					t.Errorf("%q", answer)
				}
			}
			return n
		}
		if n := granted(5); n != 3 {
			t.Errorf("%d of 5 at once, want 3", n)
		}
		time.Sleep(2 * time.Second)
		if n := granted(5); n != 2 {
			t.Errorf("%d of 5 after 2 s, want 2", n)
		}
		if n := len(records(t, v, audit.Filter{Agent: "researcher", Outcome: audit.Denied})); n != 5 {
			t.Errorf("%d refusals are recorded, want 5", n)
		}
	})
}

// The interfaces of frameworks that a Tool satisfies as it is, restated.
type (
	langchaingoTool interface {
		Name() string
		Description() string
		Call(ctx context.Context, input string) (string, error)
	}
	microsoftFuncTool interface {
		Name() string
		Description() string
		Schema() any
		ReturnSchema() any
		Call(ctx context.Context, args string) (any, error)
	}
)

var (
	_ langchaingoTool   = (*agent.Tool)(nil)
	_ microsoftFuncTool = agent.FuncTool{}
)

func TestFuncTool(t *testing.T) {
	v := open(t)
	for _, tool := range newAgent(t, v, "researcher", "secrets:read:*").Tools() {
		f := tool.Func()
		var schema struct {
			Type                 string
			Properties           map[string]struct{ Type, Description string }
			AdditionalProperties *bool
		}
		text, err := json.Marshal(f.Schema())
		if err != nil || json.Unmarshal(text, &schema) != nil || schema.Type != "object" || schema.AdditionalProperties == nil || *schema.AdditionalProperties {
			t.Errorf("%s: schema %s, %v", f.Name(), text, err)
		}
		for name, p := range schema.Properties {
			if p.Type != "string" || p.Description == "" && name != "method" {
				t.Errorf("%s: property %s: %+v", f.Name(), name, p)
			}
		}
		if f.Name() != tool.Name() || f.Description() != tool.Description() || f.ReturnSchema() != nil {
			t.Errorf("%s differs from its tool", f.Name())
		}
		if answer, err := f.Call(t.Context(), "{"); err != nil || answer != "Malformed input. Send one JSON object as the schema of this tool says, with no other keys." {
			t.Errorf("%s: %v, %v", f.Name(), answer, err)
		}
	}
}

// executor is what agent frameworks have inside: functions by name, the last one wins.
type executor map[string]func(ctx context.Context, input string) (string, error)

// The program on the page that our user started from registers one get_secret for each of three agents on one executor. On a
// plain map the last token wins, and every agent has its rights. Names that carry the agent cannot cross.
func TestOneExecutor(t *testing.T) {
	v := open(t)
	scopes := map[string]string{"researcher": "secrets:read:production/search/*", "writer": "secrets:read:production/publishing/*", "critic": "secrets:read:production/quality/*"}

	published := executor{}
	for _, name := range []string{"researcher", "critic", "writer"} {
		s := vaulttest.Session(t, v, name, scopes[name])
		published["get_secret"] = func(ctx context.Context, path string) (string, error) {
			it, err := s.Get(ctx, vault.Request{Path: path})
			if err != nil {
				return "refused", nil
			}
			return it.Value.Reveal(), nil
		}
	}
	if got, _ := published["get_secret"](t.Context(), other); got == "refused" {
		t.Error("this executor does not show the mistake: the researcher calls get_secret and does not get what is the writer's")
	}

	ours := executor{}
	for name, s := range scopes {
		for _, tool := range newAgent(t, v, name, s).Tools() {
			if ours[tool.Name()] != nil {
				t.Errorf("%s is there twice", tool.Name())
			}
			ours[tool.Name()] = tool.Call
		}
	}
	if len(ours) != 9 {
		t.Errorf("%d tools, want 9: %v", len(ours), slices.Sorted(maps.Keys(ours)))
	}
	for name, path := range map[string]string{"researcher": search, "writer": other} {
		for _, p := range []string{search, other} {
			got, err := ours["get_secret_"+name](t.Context(), p)
			if err != nil || strings.HasPrefix(got, "Refused") == (p == path) {
				t.Errorf("%s asks for %s: %q, %v", name, p, got, err)
			}
		}
	}
	vaulttest.Refused(t, v, "researcher", other)
}

func TestConcurrentCalls(t *testing.T) {
	v := open(t)
	a := withOptions(t, v, "researcher", []string{"secrets:read:production/search/*"}, agent.WithRate(1e6, 1e6))
	url := upstream(t, v, search, "", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Authorization")) })
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for kind, want := range map[string]string{
				"get_secret":   canary,
				"http_request": `{"status":200,"content_type":"text/plain; charset=utf-8","body":"Bearer [redacted]"}`,
			} {
				got, err := tool(a, kind).Invoke(t.Context(), fmt.Sprint(i), fmt.Sprintf(`{"path":%q%s}`, search, map[bool]string{true: `,"url":"` + url + `/x"`}[kind == "http_request"]))
				if err != nil || got != want {
					t.Errorf("%s: %q, %v", kind, got, err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(records(t, v, audit.Filter{Agent: "researcher", Op: "use", Outcome: audit.Granted})); n != 32 {
		t.Errorf("%d uses are recorded, want 32", n)
	}
}
