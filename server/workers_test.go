// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWorkersTable: docs/workers.md has a row for every status and code that a front answers with, and for no other.
func TestWorkersTable(t *testing.T) {
	numbers := map[string]int{} // by the name that package http has for a status
	for n := range 600 {
		numbers[regexp.MustCompile("[ -]").ReplaceAllString(http.StatusText(n), "")] = n
	}
	answered := map[string]bool{"504 upstream": true} // which is 502 before it is known how it failed
	literal := regexp.MustCompile(`http\.Status(\w+), (?:Code: )?"(\w+)"`)
	for _, pattern := range []string{"*.go", "../internal/front/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			source, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range literal.FindAllStringSubmatch(string(source), -1) {
				if !strings.HasSuffix(name, "_test.go") {
					answered[fmt.Sprintf("%d %s", numbers[m[1]], m[2])] = true
				}
			}
		}
	}
	page, err := os.ReadFile("../docs/workers.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| (\\d[0-9, ]*) \\| `(\\w+)` \\|").FindAllStringSubmatch(string(page), -1) {
		for status := range strings.SplitSeq(m[1], ", ") {
			told[status+" "+m[2]] = true
		}
	}
	if len(answered) < 15 || !maps.Equal(answered, told) {
		t.Errorf("answered %v\ntold %v", answered, told)
	}
}
