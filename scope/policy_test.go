// SPDX-License-Identifier: Apache-2.0

package scope_test

import (
	"os"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/scope"
)

// question is one line of a policy table.
type question struct {
	action scope.Action
	path   string
	want   bool
}

func allow(a scope.Action, path string) question { return question{a, path, true} }
func deny(a scope.Action, path string) question  { return question{a, path, false} }

func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		why       string
		scopes    []string
		questions []question
	}{
		{"the star is one or more segments", []string{"secrets:read:production/*"}, []question{
			allow(scope.Read, "production/tavily"), allow(scope.Read, "production/tavily/api-key"),
			allow(scope.Read, "production/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o"),
			deny(scope.Read, "production"), deny(scope.Read, "production/"), deny(scope.Read, "production/*"),
		}},
		{"the star stays below its slash", []string{"secrets:read:production/search/*"}, []question{
			deny(scope.Read, "production/search"), deny(scope.Read, "production/search2"),
			deny(scope.Read, "production/searchx/y"), deny(scope.Read, "production/search.x/y"),
			deny(scope.Read, "staging/production/search/x"), deny(scope.Read, "production"),
		}},
		{"a path is only itself", []string{"secrets:read:production/search"}, []question{
			allow(scope.Read, "production/search"),
			deny(scope.Read, "production/search/x"), deny(scope.Read, "production/searc"),
			deny(scope.Read, "production/search2"), deny(scope.Read, "search"), deny(scope.Read, "production"),
		}},
		{"the star alone is every path and no malformed one", []string{"secrets:use:*"}, []question{
			allow(scope.Use, "a"), allow(scope.Use, "a/b"), allow(scope.Use, "..a/b.."),
			deny(scope.Use, ""), deny(scope.Use, "*"), deny(scope.Use, "a//b"), deny(scope.Use, "a/../b"),
			deny(scope.Use, "/a"), deny(scope.Use, "a/"), deny(scope.Use, "."), deny(scope.Use, "a b"),
		}},
		{"case is exact", []string{"secrets:*:prod/*", "secrets:*:a"}, []question{
			deny(scope.Read, "Prod/x"), deny(scope.Read, "PROD/x"), deny(scope.Read, "A"),
			allow(scope.Read, "prod/X"),
		}},
		{"read includes use and list", []string{"secrets:read:a"}, []question{
			allow(scope.Read, "a"), allow(scope.Use, "a"), allow(scope.List, "a"),
			deny(scope.Write, "a"), deny(scope.Delete, "a"), deny(scope.Any, "a"),
		}},
		{"use includes list", []string{"secrets:use:a"}, []question{
			allow(scope.Use, "a"), allow(scope.List, "a"),
			deny(scope.Read, "a"), deny(scope.Write, "a"), deny(scope.Delete, "a"),
		}},
		{"write includes nothing", []string{"secrets:write:a"}, []question{
			allow(scope.Write, "a"),
			deny(scope.Read, "a"), deny(scope.Use, "a"), deny(scope.List, "a"), deny(scope.Delete, "a"),
		}},
		{"delete includes nothing", []string{"secrets:delete:a"}, []question{
			allow(scope.Delete, "a"),
			deny(scope.Read, "a"), deny(scope.Use, "a"), deny(scope.List, "a"), deny(scope.Write, "a"),
		}},
		{"list includes nothing", []string{"secrets:list:a"}, []question{
			allow(scope.List, "a"),
			deny(scope.Read, "a"), deny(scope.Use, "a"), deny(scope.Write, "a"), deny(scope.Delete, "a"),
		}},
		{"the star action includes all", []string{"secrets:*:a"}, []question{
			allow(scope.Read, "a"), allow(scope.Use, "a"), allow(scope.List, "a"), allow(scope.Write, "a"),
			allow(scope.Delete, "a"), allow(scope.Any, "a"), deny(scope.Any, "b"),
		}},
		{"several scopes add up", []string{"secrets:read:a/*", "secrets:write:a/b", "secrets:delete:*"}, []question{
			allow(scope.Any, "a/b"), deny(scope.Any, "a/c"), allow(scope.Delete, "q"), deny(scope.Read, "q"),
		}},
		{"no other string is an action", []string{"secrets:*:*"}, []question{
			deny("", "a"), deny("Read", "a"), deny("READ", "a"), deny("read ", "a"), deny("rotate", "a"), deny("**", "a"),
			deny("read,write", "a"), deny("secrets:read", "a"), deny("l\u0131st", "a"),
		}},
		{"the zero set allows nothing", nil, []question{
			deny(scope.Read, "a"), deny(scope.Any, "a"), deny(scope.List, "a/b"), deny("", ""), deny("", "a"),
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			var s scope.Set
			if c.scopes != nil {
				s = scope.MustParse(c.scopes...)
			}
			for _, q := range c.questions {
				if got := s.Allows(q.action, q.path); got != q.want {
					t.Errorf("%v allows %q on %q: got %v, want %v", c.scopes, q.action, q.path, got, q.want)
				}
			}
		})
	}
}

// TestDoc asks every question of the table in the package comment.
func TestDoc(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(strings.TrimPrefix(line, "//\t"))
		if len(f) != 4 || !strings.HasPrefix(f[0], "secrets:") {
			continue
		}
		rows++
		if got := scope.MustParse(f[0]).Allows(scope.Action(f[1]), f[2]); got != (f[3] == "yes") {
			t.Errorf("%s: got %v", strings.TrimSpace(line), got)
		}
	}
	if rows != 20 {
		t.Errorf("found %d rows in the table, want 20", rows)
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"a", "a", true}, {"a", "a/b", false}, {"a/*", "a/b", true}, {"a/*", "a/b/c", true}, {"a/*", "a", false},
		{"a/*", "ab/c", false}, {"*", "a", true}, {"*", "a/b", true}, {"a/b", "a", false},
		{"*", "", false}, {"*", "a/../b", false}, {"*", "*", false}, {"a/*", "a/*", false}, {"a/*", "a/", false},
		{"", "", false}, {"a/", "a/b", false}, {"a/**", "a/b", false}, {"a*", "ab", false}, {"../*", "../a", false},
		{"a//*", "a//b", false}, {"*/a", "b/a", false},
	} {
		if got := scope.Match(c.pattern, c.path); got != c.want {
			t.Errorf("Match(%q, %q) = %v, want %v", c.pattern, c.path, got, c.want)
		}
	}
}
