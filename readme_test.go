// SPDX-License-Identifier: Apache-2.0

package keyward_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

// TestReadmeCode: every Go function that README.md shows stands in one of these files as it is, and so is compiled and run.
func TestReadmeCode(t *testing.T) {
	compiled := map[string]bool{}
	for _, name := range []string{"example_test.go", "readme_test.go", "agent/example_test.go", "examples/langchaingo/main.go", "examples/eino/tool.go", "examples/openai/tool.go", "examples/genkit/tool.go", "examples/anthropic/tool.go", "agent/mcp/testdata/server/main.go"} {
		source := read(t, name)
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				compiled[source[fset.Position(f.Pos()).Offset:fset.Position(f.End()).Offset]] = true
			}
		}
	}
	shown := regexp.MustCompile("(?s)\n```go\n(.*?)\n```\n").FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(shown) != 11 {
		t.Errorf("README.md shows %d pieces of Go, want 11", len(shown))
	}
	for _, m := range shown {
		if !compiled[m[1]] {
			t.Errorf("README.md shows what is in no test file:\n%s", m[1])
		}
	}
}

// TestReadmePython: every line of Python that README.md shows is run by e2e.
func TestReadmePython(t *testing.T) {
	run := map[string]bool{}
	for line := range strings.Lines(read(t, "e2e/langchain/sdks.py")) {
		run[line] = true
	}
	shown := regexp.MustCompile("(?s)\n```python\n(.*?)```\n").FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(shown) == 0 {
		t.Error("README.md shows no Python")
	}
	for _, m := range shown {
		for line := range strings.Lines(m[1]) {
			if !run[line] {
				t.Errorf("README.md shows what e2e does not run:\n%s", line)
			}
		}
	}
}

func papers(ctx context.Context, v *vault.Vault) (*http.Client, error) {
	run, err := v.Operator("orchestrator").Issue(ctx, vault.Grant{
		Agent: "researcher", Scopes: scope.MustParse("secrets:use:production/search/*"), TTL: 30 * time.Minute,
	})
	if err != nil {
		return nil, err
	}
	a, err := agent.New(ctx, run)
	if err != nil {
		return nil, err
	}
	return a.Client("production/search/key", "find papers"), nil // it applies the key, to the key's own hosts
}

func TestPapers(t *testing.T) {
	const path = "production/search/key"
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer not-a-real-key" {
			http.Error(w, "no", http.StatusUnauthorized)
		}
	}))
	defer service.Close()
	v := vaulttest.Open(t, map[string]string{path: "not-a-real-key"})
	err := v.Operator("test").SetPolicy(t.Context(), path, vault.Policy{
		Hosts: []string{service.URL}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}, "a test")
	if err != nil {
		t.Fatal(err)
	}
	client, err := papers(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Get(service.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
	vaulttest.Touched(t, v, "researcher", path)
}

func TestSearch(t *testing.T) {
	v := vaulttest.Open(t, map[string]string{"production/search/search-key": "not-a-real-key"})
	s := vaulttest.Session(t, v, "researcher", "secrets:read:production/search/*")
	if err := search(t.Context(), s); err != nil { // the code under test
		t.Error(err)
	}
	vaulttest.Touched(t, v, "researcher", "production/search/search-key")
	vaulttest.Refused(t, v, "researcher") // nothing
}

func TestPost(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("Authorization")) // masked, whatever it says
	}))
	defer service.Close()
	const path = "production/blog/key"
	v := vaulttest.Open(t, map[string]string{path: "not-a-real-key"})
	err := v.Operator("test").SetPolicy(t.Context(), path, vault.Policy{
		Hosts: []string{"POST " + service.URL}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}, "a test")
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(t.Context(), vaulttest.Session(t, v, "writer", "secrets:use:production/blog/*"))
	if err != nil {
		t.Fatal(err)
	}
	if err := post(a.Client(path, "post the draft"), service.URL); err != nil { // the code under test
		t.Error(err)
	}
	vaulttest.Touched(t, v, "writer", path)
}

func post(c *http.Client, url string) error {
	resp, err := c.Post(url, "text/plain", strings.NewReader("draft"))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && string(answer) != "Bearer [redacted]" {
		err = fmt.Errorf("the service answers %q", answer)
	}
	return err
}

func search(ctx context.Context, s *vault.Session) error {
	_, err := s.Get(ctx, vault.Request{Path: "production/search/search-key", Reason: "find papers"})
	return err
}

// TestLinks: what the documents of this folder link to is there.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)\)`)
	for _, name := range []string{"README.md", "CHANGELOG.md", "SECURITY.md"} {
		for _, m := range link.FindAllStringSubmatch(read(t, name), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(m[1]); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
