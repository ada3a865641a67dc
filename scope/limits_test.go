// SPDX-License-Identifier: Apache-2.0

package scope_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/scope"
)

// deep returns a path of n segments.
func deep(n int) string { return strings.Repeat("a/", n-1) + "a" }

// long returns a path of exactly n bytes, in segments of 63.
func long(n int) string {
	p := []byte(strings.Repeat("a", n))
	for i := 63; i < n-1; i += 64 {
		p[i] = '/'
	}
	return string(p)
}

func TestLimits(t *testing.T) {
	seg := func(n int) string { return strings.Repeat("a", n) }
	for _, c := range []struct {
		why     string
		pattern string
		path    bool // a path
		ok      bool // a pattern
	}{
		{"64 bytes a segment", seg(64), true, true},
		{"65 bytes a segment", seg(65), false, false},
		{"65 bytes in the last segment", "a/" + seg(65), false, false},
		{"65 bytes above a star", seg(65) + "/*", false, false},
		{"16 segments", deep(16), true, true},
		{"17 segments", deep(17), false, false},
		{"15 segments and a star", deep(15) + "/*", false, true},
		{"16 segments and a star match nothing", deep(16) + "/*", false, false},
		{"512 bytes", long(512), true, true},
		{"513 bytes", long(511) + "aa", false, false},
		{"510 bytes and a star", long(510) + "/*", false, true},
		{"511 bytes and a star match nothing", long(511) + "/*", false, false},
		{"the star alone", "*", false, true},
		{"two stars", "**", false, false},
		{"a star above a star", "*/*", false, false},
		{"a star in the middle", "a/*/b", false, false},
		{"a star behind letters", "a/b*", false, false},
		{"a star before letters", "a/*b", false, false},
		{"a star before a slash", "a/*/", false, false},
		{"a slash before the star", "/*", false, false},
		{"an empty segment above the star", "a//*", false, false},
		{"dots above the star", "a/../*", false, false},
		{"dots in a name", "..a/b../c.d", true, true},
		{"all that is allowed", "AZaz09._-/.x/-/_", true, true},
	} {
		if got := scope.CheckPath(c.pattern) == nil; got != c.path {
			t.Errorf("%s: path %v, want %v", c.why, got, c.path)
		}
		if got := scope.CheckPattern(c.pattern) == nil; got != c.ok {
			t.Errorf("%s: pattern %v, want %v", c.why, got, c.ok)
		}
		if _, err := scope.Parse("secrets:use:" + c.pattern); (err == nil) != c.ok {
			t.Errorf("%s: Parse: %v, want ok %v", c.why, err, c.ok)
		}
	}
	// The longest and the deepest pattern match something.
	for _, p := range []string{deep(15), long(510)} {
		if !scope.Match(p+"/*", p+"/x") {
			t.Errorf("%d bytes and a star do not match one more segment", len(p))
		}
	}
}

func TestScopesInASet(t *testing.T) {
	var scopes []string
	for i := range 65 {
		scopes = append(scopes, fmt.Sprintf("secrets:read:p%d/*", i))
	}
	if _, err := scope.Parse(scopes[:64]...); err != nil {
		t.Errorf("64 scopes: %v", err)
	}
	if _, err := scope.Parse(scopes...); err == nil {
		t.Error("65 scopes were accepted")
	}
	if _, err := scope.Parse(); err == nil {
		t.Error("no scopes were accepted")
	}
	defer func() {
		if recover() == nil {
			t.Error("MustParse did not panic")
		}
	}()
	scope.MustParse("secrets:read:")
}

func TestJoinPath(t *testing.T) {
	for want, segments := range map[string][]string{
		"a": {"a"}, "production/acme/tavily-key": {"production", "acme", "tavily-key"},
		deep(16): strings.Split(deep(16), "/"), long(512): strings.Split(long(512), "/"),
	} {
		if got, err := scope.JoinPath(segments...); got != want || err != nil {
			t.Errorf("JoinPath(%q) = %q, %v", segments, got, err)
		}
	}
	for _, segments := range [][]string{
		{}, {""}, {"a", ""}, {"", "a"}, {"a/b"}, {"a", "*"}, {"*"}, {"a", "b/*"}, {"a", ".."}, {"."}, {"a:b"}, {"a,b"},
		{"a b"}, {"a\n"}, {"a+b"}, {"/"}, {"a/"}, {strings.Repeat("a", 65)}, strings.Split(deep(17), "/"),
		append(strings.Split(long(511), "/"), "a"), make([]string, 1000),
	} {
		if got, err := scope.JoinPath(segments...); got != "" || err == nil {
			t.Errorf("JoinPath(%q) = %q, %v; want an error", segments, got, err)
		}
	}
}
