// SPDX-License-Identifier: Apache-2.0

package keyward_test

import (
	"bytes"
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/keyward-go/keyward"

// below names every package of the root module and what it may import of ours, so that arrows point down only. A package
// that is not named here may not exist.
var below = map[string][]string{
	".":                          {},
	"scope":                      {},
	"audit":                      {},
	"internal/dotenv":            {"scope"},
	"internal/journal":           {},
	"vault":                      {"scope", "audit", "internal/journal"},
	"vault/vaulttest":            {"scope", "audit", "vault", "backend/memory", "backend/kms"},
	"backend":                    {},
	"backend/memory":             {"vault", "backend/internal/rows"},
	"backend/file":               {"vault", "internal/journal", "backend/internal/disk", "backend/internal/rows"},
	"backend/sqlite":             {"vault", "backend/internal/disk", "backend/internal/rows"},
	"backend/kms":                {"vault", "backend/internal/disk"},
	"backend/anchor":             {"audit", "vault"},
	"backend/internal/childtest": {},
	"backend/internal/disk":      {"vault"},
	"backend/internal/rows":      {"vault", "internal/journal"},
	"backend/backendtest":        {"vault"},
	"internal/front":             {"vault"},
	"internal/egress":            {"vault", "agent/redact"},
	"agent":                      {"scope", "vault", "agent/redact", "internal/egress"},
	"agent/redact":               {"vault"},
	"server":                     {"scope", "audit", "vault", "agent/redact", "internal/egress", "internal/front"},
	"server/compat":              {"scope", "audit", "vault", "internal/dotenv", "internal/front", "server"},
}

// nested names the modules inside this repository, joined by go.work unless they have their own, and what each may import of
// ours: nil is everything of the root module, and of the nested one that it lies in. What they import of others their go.mod
// says. No package of another module, nor a test of one, may import theirs.
var nested = map[string][]string{
	"agent/mcp":       {"agent", "agent/redact", "internal/front", "vault"},
	"audit/otelaudit": {"audit"},
	"cmd/keyward": {"agent", "agent/mcp", "agent/redact", "audit", "backend/anchor", "backend/file", "backend/kms", "backend/sqlite",
		"internal/dotenv", "scope", "server", "server/compat", "vault"},
	"e2e":                  {}, // it knows keyward as its clients do, from outside
	"examples":             nil,
	"examples/anthropic":   nil,
	"examples/eino":        nil,
	"examples/genkit":      nil,
	"examples/langchaingo": nil,
	"examples/mcp":         {"agent/mcp", "examples/internal/exampletest", "examples/internal/script", "examples/internal/team"},
	"examples/openai":      nil,
	"harness":              nil,
}

// external is every module outside the standard library that the root module may import, each with its reason.
var external = map[string]string{
	"github.com/tink-crypto/tink-go/v2":           "keysets, AEAD, PRF, signatures",
	"github.com/hashicorp/go-kms-wrapping/v2":     "the key at the root",
	"github.com/hashicorp/golang-lru/v2":          "bounded caches of sealed rows and data keys",
	"modernc.org/sqlite":                          "the default store, without cgo",
	"golang.org/x/mod":                            "transparency log and signed notes",
	"golang.org/x/crypto":                         "Argon2id",
	"golang.org/x/time":                           "the rate of an agent's tool calls, and of a front's callers",
	"github.com/go-json-experiment/json":          "strict JSON of the fronts: encoding/json takes duplicate keys and keys in another case. It becomes encoding/json/v2",
	"golang.org/x/sys":                            "system calls that package syscall lacks",
	"google.golang.org/protobuf":                  "coding of go-kms-wrapping's BlobInfo; tink-go and go-kms-wrapping bring it anyway",
	"github.com/stretchr/testify (_test.go only)": "that redaction holds in its diffs",
}

// pkg is a folder of Go files.
type pkg struct {
	imports     []string // of files that are not tests
	testImports []string
}

// wrongArrows lists what the packages import against the rules. Keys are folders, from the root.
func wrongArrows(packages map[string]pkg) (wrong []string) {
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		p, own := packages[dir], nestedModule(dir)
		allowed, known := below[dir]
		if own != "" {
			allowed, known = nested[own], true
		}
		if !known {
			wrong = append(wrong, dir+" is not named in the rules")
		}
		for _, imp := range p.imports {
			ours, isOurs := inModule(imp)
			switch {
			case !isOurs && (own != "" || isAllowed(imp, "")):
			case isOurs && own != "" && nestedModule(ours) == own:
			case isOurs && own != "" && allowed == nil && (nestedModule(ours) == "" || lies(own, nestedModule(ours))):
			case isOurs && slices.Contains(allowed, ours):
			default:
				wrong = append(wrong, dir+" imports "+imp)
			}
		}
		for _, imp := range p.testImports { // of ours, a test may import anything but other nested modules
			ours, isOurs := inModule(imp)
			if m := nestedModule(ours); isOurs && m != "" && m != own && !lies(own, m) || !isOurs && own == "" && !isAllowed(imp, " (_test.go only)") {
				wrong = append(wrong, "a test of "+dir+" imports "+imp)
			}
		}
	}
	return wrong
}

// nestedModule returns the innermost nested module that dir belongs to, or "".
func nestedModule(dir string) (module string) {
	for m := range nested {
		if (dir == m || lies(dir, m)) && len(m) > len(module) {
			module = m
		}
	}
	return module
}

func lies(dir, in string) bool { return strings.HasPrefix(dir, in+"/") }

func inModule(imp string) (dir string, ok bool) {
	if imp == module {
		return ".", true
	}
	return strings.CutPrefix(imp, module+"/")
}

// isAllowed reports whether imp is of the standard library, or of a module that is named as it is or with the suffix.
func isAllowed(imp, suffix string) bool {
	first, _, _ := strings.Cut(imp, "/")
	if !strings.Contains(first, ".") {
		return true
	}
	for m := imp; m != "."; m = path.Dir(m) {
		if external[m] != "" || external[m+suffix] != "" {
			return true
		}
	}
	return false
}

// sources calls f with every Go file of the repository, its path with slashes. Hidden folders and testdata, which go build
// does not see, are left out.
func sources(t *testing.T, f func(name string, text []byte)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.ContainsAny(d.Name()[:1], "._") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		text, err := os.ReadFile(filepath.FromSlash(name))
		if err == nil {
			f(name, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImportsPointDown(t *testing.T) {
	packages := map[string]pkg{}
	sources(t, func(name string, text []byte) {
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			return
		}
		p := packages[path.Dir(name)]
		for _, spec := range file.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value) // parsed before
			if strings.HasSuffix(name, "_test.go") {
				p.testImports = append(p.testImports, imp)
			} else {
				p.imports = append(p.imports, imp)
			}
		}
		packages[path.Dir(name)] = p
	})
	for dir := range below {
		if _, ok := packages[dir]; !ok {
			t.Errorf("the rules name %s, which is not there", dir)
		}
	}
	for _, w := range wrongArrows(packages) {
		t.Error(w)
	}
	work, err := os.ReadFile("go.work")
	if err != nil {
		t.Fatal(err)
	}
	joined := strings.Fields(string(work))
	for m := range nested {
		dir := filepath.FromSlash(m)
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		_, alone := os.Stat(filepath.Join(dir, "go.work"))
		if err != nil || slices.Contains(joined, "./"+m) == (alone == nil) {
			t.Errorf("the rules name the module %s, which is not one, or neither in go.work nor with its own, or both: %v", m, err)
		}
	}
	for _, m := range joined {
		if dir, ok := strings.CutPrefix(m, "./"); ok && nestedModule(dir) != dir {
			t.Errorf("go.work has the module %s, which the rules do not name", dir)
		}
	}
}

// TestImportsSeeded: the check finds each wrong arrow that is put into a graph without one.
func TestImportsSeeded(t *testing.T) {
	good := func() map[string]pkg {
		return map[string]pkg{
			"scope":       {imports: []string{"strings"}},
			"vault":       {imports: []string{"context", module + "/scope", module + "/audit", "golang.org/x/mod/sumdb/note"}},
			"backend/kms": {imports: []string{module + "/vault"}, testImports: []string{"github.com/stretchr/testify/assert"}},
			"examples/a":  {imports: []string{module + "/vault", module + "/examples/internal/b", "github.com/joho/godotenv"}},
			"examples/langchaingo": {
				imports: []string{module + "/examples/internal/b"}, testImports: []string{module + "/examples/internal/b"},
			},
			"audit/otelaudit": {imports: []string{module + "/audit", "go.opentelemetry.io/otel/log"}, testImports: []string{module + "/vault", module + "/audit/otelaudit"}},
		}
	}
	if w := wrongArrows(good()); len(w) > 0 {
		t.Errorf("the good graph: %q", w)
	}
	for _, seed := range []struct {
		dir  string
		bug  pkg
		want string
	}{
		{"scope", pkg{imports: []string{module + "/vault"}}, "scope imports " + module + "/vault"},
		{"scope", pkg{imports: []string{module}}, "scope imports " + module},
		{"vault", pkg{imports: []string{module + "/backend/memory"}}, "vault imports " + module + "/backend/memory"},
		{"backend/kms", pkg{imports: []string{module + "/backend/sqlite"}}, "backend/kms imports " + module + "/backend/sqlite"},
		{"backend/kms", pkg{imports: []string{"github.com/stretchr/testify/assert"}}, "backend/kms imports github.com/stretchr/testify/assert"},
		{"vault", pkg{imports: []string{"golang.org/x/model"}}, "vault imports golang.org/x/model"},
		{"vault", pkg{testImports: []string{module + "/examples/a"}}, "a test of vault imports " + module + "/examples/a"},
		{"vault", pkg{imports: []string{module + "/harness/a"}}, "vault imports " + module + "/harness/a"},
		{"vault", pkg{testImports: []string{module + "/harness/a"}}, "a test of vault imports " + module + "/harness/a"},
		{"vault", pkg{testImports: []string{"github.com/joho/godotenv"}}, "a test of vault imports github.com/joho/godotenv"},
		{"util", pkg{}, "util is not named in the rules"},
		{"audit/otelaudit", pkg{imports: []string{module + "/vault"}}, "audit/otelaudit imports " + module + "/vault"},
		{"audit/otelaudit", pkg{testImports: []string{module + "/examples/a"}}, "a test of audit/otelaudit imports " + module + "/examples/a"},
		{"examples/a", pkg{imports: []string{module + "/audit/otelaudit"}}, "examples/a imports " + module + "/audit/otelaudit"},
		{"examples/a", pkg{imports: []string{module + "/examples/langchaingo"}}, "examples/a imports " + module + "/examples/langchaingo"},
		{"examples/langchaingo", pkg{testImports: []string{module + "/harness/a"}}, "a test of examples/langchaingo imports " + module + "/harness/a"},
		{"vault", pkg{imports: []string{module + "/audit/otelaudit"}}, "vault imports " + module + "/audit/otelaudit"},
		{"vault", pkg{testImports: []string{module + "/audit/otelaudit"}}, "a test of vault imports " + module + "/audit/otelaudit"},
	} {
		graph := good()
		p := graph[seed.dir]
		p.imports, p.testImports = append(p.imports, seed.bug.imports...), append(p.testImports, seed.bug.testImports...)
		graph[seed.dir] = p
		if got := wrongArrows(graph); !slices.Equal(got, []string{seed.want}) {
			t.Errorf("found %q, want %q", got, seed.want)
		}
	}
}

func TestFiles(t *testing.T) {
	const maxLines = 400
	sources(t, func(name string, text []byte) {
		if err := tidy(name, text, maxLines); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	for name, text := range map[string]string{
		"licence": "package p\n",
		"gofmt":   spdx + "\npackage p\nvar  x int\n",
		"long":    spdx + "\npackage p\n" + strings.Repeat("\n// x\n", maxLines),
	} {
		if tidy(name+".go", []byte(text), maxLines) == nil {
			t.Errorf("the check does not find %s", name)
		}
	}
}

const spdx = "// SPDX-License-Identifier: Apache-2.0\n"

func tidy(name string, text []byte, maxLines int) error {
	if !bytes.HasPrefix(text, []byte(spdx)) {
		return fmt.Errorf("the first line is not %q", strings.TrimSpace(spdx))
	}
	if n := bytes.Count(text, []byte("\n")); n > maxLines && !strings.HasSuffix(name, "_test.go") {
		return fmt.Errorf("%d lines, more than %d: split it", n, maxLines)
	}
	formatted, err := format.Source(text)
	if err == nil && !bytes.Equal(formatted, text) {
		err = fmt.Errorf("run gofmt -w on it")
	}
	return err
}
