// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestWordsOfPackages: no text of the packages below names what only Go has once it is said in commands, so a text that
// changes there is found here. Those of a configuration that keyward makes itself nobody sees.
func TestWordsOfPackages(t *testing.T) {
	a := &app{getenv: func(string) string { return "" }}
	n := 0
	for _, dir := range []string{"vault", "backend/file", "backend/sqlite", "backend/kms", "backend/anchor", "backend/internal/disk"} {
		files, err := filepath.Glob("../../" + dir + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(node ast.Node) bool {
				if _, ok := node.(*ast.ImportSpec); ok {
					return false
				}
				e, ok := node.(ast.Expr)
				if !ok {
					return true
				}
				text, ok := literal(e)
				if !ok {
					return true
				}
				n++
				if !strings.Contains(text, " ") || ownConfig(text) {
					return false
				}
				if m := goName.FindString(a.inWords(text)); m != "" {
					t.Errorf("%s: %q speaks of %s: say it in commands, in words.go", name, text, m)
				}
				return false
			})
		}
	}
	if n < 1000 {
		t.Errorf("only %d texts were found", n)
	}
}

// literal returns the text of a literal, or of several with plus signs between.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		x, ok := literal(e.X)
		y, ok2 := literal(e.Y)
		return x + y, ok && ok2
	}
	return "", false
}

func ownConfig(text string) bool {
	for _, of := range []string{"Config.Store", "Config.Root", "Config.Issuer", "Config.MaxTTL: ", "Config.AuditTimeout", "root: required", "kms.Wrapper was", "kms.Either"} {
		if strings.Contains(text, of) {
			return true
		}
	}
	return false
}
