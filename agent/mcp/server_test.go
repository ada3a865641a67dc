// SPDX-License-Identifier: Apache-2.0

package mcp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/agent/mcp"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

func TestServer(t *testing.T) {
	v := open(t)
	url := upstream(t, v, search)
	a := newAgent(t, vaulttest.Session(t, v, "researcher", "secrets:use:production/search/*"))
	seen := new(wire)
	c := connect(t, mcp.NewServer(a, nil), seen)

	list, err := c.ListTools(t.Context(), nil)
	if err != nil || list.CacheScope != "private" || len(list.Tools) != 2 || list.Tools[0].Name != "http_request" || list.Tools[1].Name != "list_secrets" {
		t.Fatalf("tools: %+v, %v", list, err)
	}
	for _, tool := range list.Tools {
		if tool.OutputSchema != nil || tool.Annotations == nil || tool.Description == "" {
			t.Errorf("%+v", tool)
		}
		schema, _ := json.Marshal(tool.InputSchema)
		if strings.Contains(string(schema), "x-mcp-header") || !strings.Contains(string(schema), `"additionalProperties":false`) {
			t.Errorf("%s: %s", tool.Name, schema)
		}
	}
	if caps, err := json.Marshal(c.InitializeResult().Capabilities); err != nil || string(caps) != `{"tools":{}}` {
		t.Errorf("capabilities %s, %v", caps, err)
	}

	if is := c.InitializeResult().ServerInfo; is.Name != "keyward" || is.Version != "devel" && !strings.HasPrefix(is.Version, "v") {
		t.Errorf("it says that it is %+v", is)
	}

	got, isError := ask(t, c, "http_request", args{"path": search, "url": url + "/x?q=go", "reason": "to search"})
	if want := `{"status":200,"content_type":"text/plain; charset=utf-8","body":"you sent Bearer [redacted]"}`; got != want || isError {
		t.Errorf("%s, %v", got, isError)
	}
	for name, in := range map[string]args{
		"out of scope": {"path": other, "url": url + "/x"},
		"absent":       {"path": "production/search/absent", "url": url + "/x"},
		"elsewhere":    {"path": search, "url": "https://example.com/"},
	} {
		if got, isError := ask(t, c, "http_request", in); !isError || !strings.HasPrefix(got, "Refused: ") {
			t.Errorf("%s: %q, %v", name, got, isError)
		}
	}
	for name, in := range map[string]args{"empty": {}, "unknown key": {"path": search, "url": url, "token": "kw_tok_AAAA"}, "type": {"path": 7, "url": url}} {
		if got, isError := ask(t, c, "http_request", in); !isError || !strings.HasPrefix(got, "Malformed") {
			t.Errorf("%s: %q, %v", name, got, isError)
		}
	}
	if got, isError := ask(t, c, "list_secrets", nil); isError || !strings.Contains(got, search) || strings.Contains(got, other) {
		t.Errorf("list: %q, %v", got, isError)
	}
	if _, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: "get_secret", Arguments: args{"path": search}}); err == nil {
		t.Error("a tool that the grant is not good for is there")
	}
	seen.holds(t, canary, secondary)
	vaulttest.Touched(t, v, "researcher", search)
}

// The value of get_secret comes as the one text, and once.
func TestReveal(t *testing.T) {
	v := open(t)
	seen := new(wire)
	c := connect(t, mcp.NewServer(newAgent(t, vaulttest.Session(t, v, "researcher", "secrets:read:production/search/*")), nil), seen)
	if got, isError := ask(t, c, "get_secret", args{"path": search, "reason": "why"}); got != canary || isError {
		t.Errorf("%q, %v", got, isError)
	}
	if n := strings.Count(seen.String(), canary); n != 1 {
		t.Errorf("the value was sent %d times", n)
	}
	if r := last(t, v); r.Op != "get" || r.Path != search || r.Reason != "why" || r.Agent != "researcher" {
		t.Errorf("recorded as %+v", r)
	}
}

// bent is a store that fails as it is told.
type bent struct {
	vault.Store
	panics func() bool
}

func (b bent) Update(ctx context.Context, since int64, f func([]vault.Row) (vault.Batch, error)) error {
	if b.panics() {
		panic("store: " + canary)
	}
	return b.Store.Update(ctx, since, f)
}

// A fault is told from a refusal by its text, and by the log of the program; a panic in the store ends nothing.
func TestFaults(t *testing.T) {
	broken := false
	v := openWith(t, bent{memory.New(), func() bool { return broken }})
	var log bytes.Buffer
	a := newAgent(t, vaulttest.Session(t, v, "researcher", "secrets:read:*"))
	seen := new(wire)
	c := connect(t, mcp.NewServer(a, slog.New(slog.NewTextHandler(&log, nil))), seen)
	broken = true
	for range 2 {
		got, isError := ask(t, c, "get_secret", args{"path": search})
		if !isError || !strings.Contains(got, "this is no refusal") {
			t.Errorf("%q, %v", got, isError)
		}
	}
	if !strings.Contains(log.String(), "not recorded") || strings.Contains(log.String(), canary) {
		t.Errorf("the log: %s", log.String())
	}
	seen.holds(t, canary)
}

func TestClosedVault(t *testing.T) {
	v := vaulttest.Open(t, map[string]string{search: canary})
	c := connect(t, mcp.NewServer(newAgent(t, vaulttest.Session(t, v, "researcher", "secrets:read:*")), nil), new(wire))
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if got, isError := ask(t, c, "get_secret", args{"path": search}); !isError || !strings.Contains(got, "could not run") {
		t.Errorf("%q, %v", got, isError)
	}
}

// Stdio: this test starts itself as a server, as a client of MCP would, with a token in its environment.
func TestStdio(t *testing.T) {
	if os.Getenv("KEYWARD_TEST_STDIO") != "" {
		serveStdio(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestStdio$")
	cmd.Env = []string{"KEYWARD_TEST_STDIO=1"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	seen := new(wire)
	c := dial(t, &sdk.LoggingTransport{Transport: &sdk.CommandTransport{Command: cmd}, Writer: seen}, "")
	if got, isError := ask(t, c, "get_secret", args{"path": search}); got != canary || isError {
		t.Errorf("%q, %v", got, isError)
	}
	if got, isError := ask(t, c, "get_secret", args{"path": other}); !isError || !strings.HasPrefix(got, "Refused") {
		t.Errorf("%q, %v", got, isError)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(stderr.String(), "said by the program") || strings.Contains(stderr.String(), canary) {
		t.Errorf("standard error: %q", stderr.String())
	}
	if strings.Contains(seen.String(), "said by the program") {
		t.Error("something else than the protocol got to the client")
	}
}

func serveStdio(t *testing.T) {
	v := open(t)
	transport := mcp.Stdio()
	os.Stdout.WriteString("said by the program\n")
	s, err := v.Operator("test").Issue(t.Context(), vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:production/search/*"), TTL: 60e9})
	if err != nil {
		t.Fatal(err)
	}
	if err := mcp.NewServer(newAgent(t, s, agent.WithRate(100, 100)), nil).Run(t.Context(), transport); err != nil && !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if n := len(records(t, v, audit.Filter{Op: "get"})); n != 2 {
		t.Errorf("%d records", n)
	}
}
