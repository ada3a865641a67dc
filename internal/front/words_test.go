// SPDX-License-Identifier: Apache-2.0

package front

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// goName is a name that only Go has: of a method, a field, or in a package.
var goName = regexp.MustCompile(`\b([a-z]+\.)?[A-Z][a-z]+([A-Z][a-zA-Z]*|\.[A-Z]\w+)\b|\b(kms|vault|backend|memory|sqlite)[./][A-Z]?\w+|TTL|Networks|Claims|Tokens`)

// inLog are texts of what is wrong with the vault, which the log of faults shows and no answer.
var inLog = []string{"the TokenIssuer does not verify what it issues", "the wall clock is over 2 minutes behind the last record: set it, or if the record is wrong undo it with ResetClock"}

// unsaid are files of the vault whose texts no answer shows: of opening one, of rotating its keys, and of what is not for HTTP.
var unsaid = []string{"hidden.go", "keyring_next.go", "open.go", "root.go", "rotate.go", "vault.go"}

// TestWords: no text of the vault that an answer may show names what only Go has, so a text that changes there is found here.
func TestWords(t *testing.T) {
	files, err := filepath.Glob("../../vault/*.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || slices.Contains(unsaid, filepath.Base(name)) {
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
			lit, ok := node.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			n++
			if m := goName.FindString(inRequests.Replace(text)); strings.Contains(text, " ") && m != "" && !slices.Contains(inLog, text) {
				t.Errorf("%s: %q speaks of %s: say it for a caller over HTTP, in words.go", name, text, m)
			}
			return false
		})
	}
	if n < 500 {
		t.Errorf("only %d texts were found", n)
	}
}
