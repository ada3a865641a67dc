// SPDX-License-Identifier: Apache-2.0

package mcp_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/agent/mcp"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

// post is somebody's tool: it takes a key, and shows it everywhere.
type post struct {
	got      []string // what it was called with
	resource *sdk.ResourceContents
}

func (p *post) server(middleware ...sdk.Middleware) *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "theirs", Version: "1"}, nil)
	s.AddReceivingMiddleware(middleware...)
	schema := json.RawMessage(`{"type":"object"}`)
	s.AddTool(&sdk.Tool{Name: "post", InputSchema: schema}, func(_ context.Context, req *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		var in struct{ Key, Text, How string }
		if err := json.Unmarshal(req.Params.Arguments, &in); err != nil {
			return nil, err
		}
		p.got = append(p.got, in.Key)
		p.resource = &sdk.ResourceContents{URI: "file:///log", Text: "sent " + in.Key, Blob: []byte("sent " + in.Key + " twice")}
		switch in.How {
		case "error":
			return nil, fmt.Errorf("the service does not like %s", in.Key)
		case "wire error":
			data, _ := json.Marshal(map[string]string{"key": in.Key})
			return nil, &jsonrpc.Error{Code: -32000, Message: "no: " + in.Key, Data: data}
		case "panic":
			panic(in.Key)
		}
		structured := map[string]any{"key": in.Key, in.Key: 1, "list": []any{in.Key, 7}, "base64": base64.StdEncoding.EncodeToString([]byte("<" + in.Key))}
		inner, _ := json.Marshal(structured)
		return &sdk.CallToolResult{
			Content: []sdk.Content{
				&sdk.TextContent{Text: "sent with " + in.Key, Meta: sdk.Meta{"note": in.Key}},
				&sdk.TextContent{Text: string(inner)},
				&sdk.ImageContent{MIMEType: "image/png", Data: []byte("PNG " + in.Key)},
				&sdk.ResourceLink{URI: "https://example.com/?key=" + in.Key, Name: in.Key},
				&sdk.EmbeddedResource{Resource: p.resource},
			},
			StructuredContent: structured,
			IsError:           in.How == "is error",
		}, nil
	})
	s.AddResource(&sdk.Resource{URI: "file:///log", Name: "log"}, func(context.Context, *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{p.resource}}, nil
	})
	return s
}

// The same middleware in front of somebody's server, and behind a client of it.
func TestMiddleware(t *testing.T) {
	for name, build := range map[string]func(t *testing.T, p *post, m sdk.Middleware, seen *wire) *sdk.ClientSession{
		"server": func(t *testing.T, p *post, m sdk.Middleware, seen *wire) *sdk.ClientSession {
			return connect(t, p.server(m), seen)
		},
		"client": func(t *testing.T, p *post, m sdk.Middleware, seen *wire) *sdk.ClientSession {
			return connect(t, p.server(), new(wire), func(next sdk.MethodHandler) sdk.MethodHandler { // the first is around the others
				return func(ctx context.Context, method string, req sdk.Request) (sdk.Result, error) {
					res, err := next(ctx, method, req)
					text, _ := json.Marshal(res)
					fmt.Fprintf(seen, "%s %v\n", text, err)
					return res, err
				}
			}, m)
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := open(t)
			err := v.Operator("test").SetPolicy(t.Context(), search, vault.Policy{Hosts: []string{"api.example.com"}}, "a test")
			if err != nil {
				t.Fatal(err)
			}
			a := newAgent(t, vaulttest.Session(t, v, "researcher", "secrets:use:production/search/*"), agent.WithRate(1000, 1000))
			seen, p := new(wire), new(post)
			m := mcp.Middleware(a, map[string]agent.Handles{"post": {"key": "https://api.example.com/post"}})
			c := build(t, p, m, seen)
			call := func(in args) (*sdk.CallToolResult, error) {
				return c.CallTool(t.Context(), &sdk.CallToolParams{Name: "post", Arguments: in})
			}
			const handle = "{{secret:" + search + "}}"

			for _, how := range []string{"", "is error"} {
				res, err := call(args{"key": handle, "text": "hello", "how": how})
				if err != nil || len(res.Content) != 5 || res.IsError != (how != "") || p.got[len(p.got)-1] != canary {
					t.Fatalf("%q: %+v, %v; the tool got %q", how, res, err, p.got)
				}
				if got := res.Content[0].(*sdk.TextContent).Text; got != "sent with [redacted]" {
					t.Errorf("%q", got)
				}
				if got := string(res.Content[4].(*sdk.EmbeddedResource).Resource.Blob); got != "sent [redacted] twice" {
					t.Errorf("%q", got)
				}
				if got := string(res.Content[2].(*sdk.ImageContent).Data); got != "PNG [redacted]" {
					t.Errorf("%q", got)
				}
			}
			read, err := c.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "file:///log"})
			if err != nil || read.Contents[0].Text != "sent [redacted]" || string(read.Contents[0].Blob) != "sent [redacted] twice" {
				t.Errorf("%+v, %v", read, err)
			}
			bad := []string{"error", "wire error"}
			if name == "server" { // one without middleware would end this process
				bad = append(bad, "panic")
			}
			for _, how := range bad {
				if res, err := call(args{"key": handle, "how": how}); err == nil || strings.Contains(err.Error(), canary) {
					t.Errorf("%s: %+v, %v", how, res, err)
				}
			}

			// Where no handle may stand, and where this one may not go: the tool does not run.
			before := len(p.got)
			for name, in := range map[string]args{
				"another argument": {"key": "x", "text": handle},
				"a key":            {handle: "x"},
				"a URL":            {"key": "https://evil.example/?" + handle},
				"malformed":        {"key": "{{secret:" + search},
				"in a list":        {"key": []string{handle}},
				"out of scope":     {"key": "{{secret:" + other + "}}"},
				"absent":           {"key": "{{secret:production/search/absent}}"},
			} {
				res, err := call(in)
				if err != nil || !res.IsError || len(res.Content) != 1 || len(p.got) != before {
					t.Errorf("%s: %+v, %v", name, res, err)
				}
			}
			if res, err := call(args{"key": "no handle"}); err != nil || p.got[len(p.got)-1] != "no handle" || res.IsError {
				t.Errorf("%+v, %v", res, err)
			}
			seen.holds(t, canary, secondary, base64.StdEncoding.EncodeToString([]byte("PNG "+canary)))
			vaulttest.Touched(t, v, "researcher", search)
		})
	}
}

// A tool that is not named takes no handles, and its answers are masked all the same.
func TestMiddlewareOtherTools(t *testing.T) {
	v := open(t)
	a := newAgent(t, vaulttest.Session(t, v, "researcher", "secrets:read:*"))
	seen, p := new(wire), new(post)
	c := connect(t, p.server(mcp.Middleware(a, nil)), seen)
	res, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: "post", Arguments: args{"key": "{{secret:" + search + "}}"}})
	if err != nil || !res.IsError || len(p.got) > 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if err := a.Redactor().Add(vault.NewSecret("known-from-elsewhere")); err != nil {
		t.Fatal(err)
	}
	if res, err = c.CallTool(t.Context(), &sdk.CallToolParams{Name: "post", Arguments: args{"key": "known-from-elsewhere"}}); err != nil || res.IsError {
		t.Errorf("%+v, %v", res, err)
	}
	var answers strings.Builder // what was sent is the client's own
	for line := range strings.Lines(seen.String()) {
		if strings.HasPrefix(line, "read: ") {
			answers.WriteString(line)
		}
	}
	if answers.Len() == 0 || strings.Contains(answers.String(), "known-from-elsewhere") {
		t.Error("an answer shows what the run has touched")
	}
}

// The method that the developer states is what is decided and recorded; a mistake of his is an error, and none of the model's.
func TestMiddlewareStated(t *testing.T) {
	v := open(t)
	err := v.Operator("test").SetPolicy(t.Context(), search, vault.Policy{Hosts: []string{"POST api.example.com"}}, "a test")
	if err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, vaulttest.Session(t, v, "researcher", "secrets:use:production/search/*"))
	call := func(stated string) (*sdk.CallToolResult, []string, error) {
		p := new(post)
		c := connect(t, p.server(mcp.Middleware(a, map[string]agent.Handles{"post": {"key": stated}})), new(wire))
		res, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: "post", Arguments: args{"key": "{{secret:" + search + "}}"}})
		return res, p.got, err
	}
	res, got, err := call("POST https://api.example.com/post")
	if err != nil || res.IsError || len(got) != 1 {
		t.Errorf("%+v, %v; the tool got %q", res, err, got)
	}
	if r := last(t, v); r.Method != "POST" || r.Host != "api.example.com" || r.Reason != `a handle in the argument "key" of a tool` {
		t.Errorf("recorded as %+v", r)
	}
	if res, got, err = call("https://api.example.com/post"); err != nil || !res.IsError || len(got) != 0 {
		t.Errorf("GET where the policy names POST: %+v, %v; the tool got %q", res, err, got)
	}
	if res, got, err = call("POST api.example.com/post"); err == nil || !strings.Contains(err.Error(), `"key"`) || len(got) != 0 {
		t.Errorf("no scheme: %+v, %v; the tool got %q", res, err, got)
	}
}

// A fault of the vault is an error, and the tool does not run.
func TestMiddlewareFault(t *testing.T) {
	v := vaulttest.Open(t, map[string]string{search: canary})
	a := newAgent(t, vaulttest.Session(t, v, "researcher", "secrets:use:*"))
	p := new(post)
	m := mcp.Middleware(a, map[string]agent.Handles{"post": {"key": ""}})
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	handler := m(func(context.Context, string, sdk.Request) (sdk.Result, error) {
		p.got = append(p.got, "called")
		return nil, nil
	})
	_, err := handler(t.Context(), "tools/call", &sdk.CallToolRequest{Params: &sdk.CallToolParamsRaw{Name: "post", Arguments: json.RawMessage(`{"key":"{{secret:` + search + `}}"}`)}})
	if !errors.Is(err, vault.ErrClosed) || len(p.got) > 0 {
		t.Errorf("%v, %q", err, p.got)
	}
}
