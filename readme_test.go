// SPDX-License-Identifier: Apache-2.0

package keyward_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

// TestReadmeCode: every Go function that README.md shows stands in one of these files as it is, and so is compiled and run.
func TestReadmeCode(t *testing.T) {
	compiled := map[string]bool{}
	for _, name := range []string{"example_test.go", "readme_test.go", "examples/langchaingo/main.go", "examples/eino/tool.go", "examples/openai/tool.go"} {
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
	if len(shown) != 5 {
		t.Errorf("README.md shows %d pieces of Go, want 5", len(shown))
	}
	for _, m := range shown {
		if !compiled[m[1]] {
			t.Errorf("README.md shows what is in no test file:\n%s", m[1])
		}
	}
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
