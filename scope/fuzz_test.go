// SPDX-License-Identifier: Apache-2.0

package scope_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/scope"
)

// The grammar of a path but for "not only dots" and the 512 bytes.
var pathForm = regexp.MustCompile(`\A[A-Za-z0-9._-]{1,64}(/[A-Za-z0-9._-]{1,64}){0,15}\z`)

func isPath(s string) bool {
	return len(s) <= 512 && pathForm.MatchString(s) &&
		!slices.ContainsFunc(strings.Split(s, "/"), func(seg string) bool { return strings.Trim(seg, ".") == "" })
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{
		"", "a", "production/search/tavily-key", "a/../b", "a//b", "/a", "a/", "...", "..a", "*", "a/*", "a*", "a%2fb", "a\\b", "\u212aey",
		"a\x00", "\xc0\xae", deep(16), deep(17), long(510), long(512), long(513), strings.Repeat("a", 64), strings.Repeat("a", 65),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := isPath(s)
		if got := scope.CheckPath(s) == nil; got != want {
			t.Fatalf("CheckPath(%q): got %v, want %v", s, got, want)
		}
		if got, err := scope.JoinPath(strings.Split(s, "/")...); (err == nil) != want || err == nil && got != s {
			t.Fatalf("JoinPath of the segments of %q: %q, %v", s, got, err)
		}
		if _, err := scope.JoinPath("a", s); err == nil && strings.Contains(s, "/") {
			t.Fatalf("JoinPath took %q for a segment", s)
		}
		if got := scope.Match("*", s); got != want {
			t.Fatalf("Match(*, %q): got %v, want %v", s, got, want)
		}
		if scope.Match(s, s) != want {
			t.Fatalf("Match(%q, itself): want %v", s, want)
		}
		dir, star := strings.CutSuffix(s, "*")
		if got := scope.CheckPattern(s) == nil; got != (want || star && (dir == "" || isPath(dir+"x") && strings.HasSuffix(dir, "/"))) {
			t.Fatalf("CheckPattern(%q): got %v", s, got)
		}
	})
}

func FuzzScope(f *testing.F) {
	for _, s := range []string{
		"", "secrets:read:a", "secrets:*:*", "secrets:use:production/search/*", "secrets:read:a secrets:write:b/*",
		"secrets:read:b secrets:read:a", "secrets:read:a secrets:read:a", "secrets:read:a  secrets:read:b", "secrets:Read:a",
		"secrets:read:a:b", "secrets:read:quoted-%", "quoted-", "secrets::x", "read:a", "secrets:read:../*", "secrets:read:" + long(510) + "/*", "secrets:list:" + deep(15) + "/*",
		"secrets:*:" + deep(16) + "/*", "secrets:delete:a/**", " secrets:read:a", "secrets:read:a\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		one, err := scope.Parse(text)
		if err == nil && one.String() != text {
			t.Fatalf("%q prints as %q", text, one)
		}
		s, err := scope.Parse(strings.Split(text, " ")...)
		var canonical scope.Set
		if cerr := canonical.UnmarshalText([]byte(text)); text != "" && (cerr == nil) != (err == nil && s.String() == text) {
			t.Fatalf("%q: Parse %v, UnmarshalText %v, prints as %q", text, err, cerr, s)
		}
		if err != nil {
			if secret := "quoted-"; strings.Contains(text, secret) && strings.Contains(err.Error(), secret) {
				t.Fatalf("%q is quoted: %v", text, err)
			}
			return
		}
		var back scope.Set
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back.String() != s.String() {
			t.Fatalf("%q prints as %q, which parses as %q, %v", text, s, back, err)
		}
		everything := scope.MustParse("secrets:*:*")
		for _, of := range []scope.Set{s, everything} {
			if missing, ok := s.Covers(of); !ok {
				checkMissing(t, s, of, missing)
			} else if _, ok := everything.Covers(of); !ok {
				t.Fatalf("%v is not covered by everything", of)
			}
		}
		if _, ok := s.Covers(s); !ok {
			t.Fatalf("%v does not cover itself", s)
		}
	})
}
