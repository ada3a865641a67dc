// SPDX-License-Identifier: Apache-2.0

package mcp_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/agent/mcp"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

const (
	search    = "production/search/key"
	other     = "production/publishing/key"
	canary    = "canary-5f2c9e81d7a04b36"
	secondary = "canary-b7719d0c44e2aa08"
)

func open(t testing.TB) *vault.Vault {
	return vaulttest.Open(t, map[string]string{search: canary, other: secondary})
}

// openWith is open over a store of the test's.
func openWith(t testing.TB, store vault.Store) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), vault.Config{Store: store, Root: kms.KeyFile(t.TempDir() + "/root.key")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() }) // a broken store cannot take the last records
	if _, err := v.Operator("test").Put(t.Context(), vault.Item{Path: search, Value: vault.NewSecret(canary)}); err != nil {
		t.Fatal(err)
	}
	return v
}

func newAgent(t testing.TB, s *vault.Session, opts ...agent.Option) *agent.Agent {
	t.Helper()
	a, err := agent.New(t.Context(), s, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// upstream starts a server that shows what it got, and makes it the only place where the secret at path may be used.
func upstream(t testing.TB, v *vault.Vault, path string) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "you sent %s", r.Header.Get("Authorization"))
	}))
	t.Cleanup(s.Close)
	err := v.Operator("test").SetPolicy(t.Context(), path, vault.Policy{
		Hosts: []string{s.URL}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}, "a test")
	if err != nil {
		t.Fatal(err)
	}
	return s.URL
}

// wire records everything that a client sends and gets.
type wire struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.Write(b)
}

func (w *wire) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}

// holds fails the test if the wire holds a value.
func (w *wire) holds(t testing.TB, values ...string) {
	t.Helper()
	if w.String() == "" {
		t.Error("nothing was on the wire")
	}
	for _, v := range values {
		for _, form := range []string{v, base64.RawStdEncoding.EncodeToString([]byte(v)), hex.EncodeToString([]byte(v)), url.QueryEscape("key=" + v)} {
			if strings.Contains(w.String(), form) {
				t.Errorf("the client saw %s", form)
			}
		}
	}
}

// connect returns a client of s in memory.
func connect(t testing.TB, s *sdk.Server, seen *wire, middleware ...sdk.Middleware) *sdk.ClientSession {
	t.Helper()
	theirs, ours := sdk.NewInMemoryTransports()
	if _, err := s.Connect(t.Context(), theirs, nil); err != nil {
		t.Fatal(err)
	}
	return dial(t, &sdk.LoggingTransport{Transport: ours, Writer: seen}, "", middleware...)
}

func dial(t testing.TB, transport sdk.Transport, version string, middleware ...sdk.Middleware) *sdk.ClientSession {
	t.Helper()
	c := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil)
	c.AddSendingMiddleware(middleware...)
	session, err := c.Connect(t.Context(), transport, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

// ask calls a tool, and returns the one text of its answer.
func ask(t testing.TB, c *sdk.ClientSession, tool string, args map[string]any) (text string, isError bool) {
	t.Helper()
	r, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	if len(r.Content) != 1 || r.StructuredContent != nil {
		t.Fatalf("%s: %d contents, structured %v", tool, len(r.Content), r.StructuredContent)
	}
	return r.Content[0].(*sdk.TextContent).Text, r.IsError
}

type args = map[string]any

func records(t testing.TB, v *vault.Vault, f audit.Filter) (all []audit.Record) {
	t.Helper()
	for r, err := range v.Log().Records(context.Background(), f) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func last(t testing.TB, v *vault.Vault) audit.Record {
	t.Helper()
	all := records(t, v, audit.Filter{})
	return all[len(all)-1]
}

// handler serves v on loopback.
func handler(t testing.TB, v *vault.Vault, cfg mcp.Config) *httptest.Server {
	t.Helper()
	cfg.Vault = v
	h, err := mcp.NewHandler(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// bearer is a client's HTTP transport: it adds a token, and writes down the answers.
type bearer struct {
	token string
	seen  *wire
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	fmt.Fprintf(b.seen, "%s %v\n%s\n", resp.Status, resp.Header, body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

func dialHTTP(t testing.TB, url, version string, s *vault.Session, seen *wire) *sdk.ClientSession {
	t.Helper()
	return dial(t, &sdk.StreamableClientTransport{
		Endpoint: url, HTTPClient: &http.Client{Transport: bearer{s.Token().Reveal(), seen}}, MaxRetries: -1,
	}, version)
}
