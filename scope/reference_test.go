// SPDX-License-Identifier: Apache-2.0

package scope_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/scope"
)

// The reference: the meaning in DESIGN section 3 once more, by recursion on segments and with words instead of bits.
// It expects valid input and shares no code with the package.

var includes = map[string][]string{
	"read": {"read", "use", "list"}, "use": {"use", "list"}, "write": {"write"}, "delete": {"delete"}, "list": {"list"},
	"*": {"read", "use", "write", "delete", "list"},
}

func refMatch(pattern, path []string) bool {
	switch {
	case len(path) == 0:
		return len(pattern) == 0
	case len(pattern) == 0:
		return false
	case pattern[0] == "*":
		return true
	}
	return pattern[0] == path[0] && refMatch(pattern[1:], path[1:])
}

func refAllows(scopes [][]string, action string, path []string) bool {
	if action == "*" {
		return !slices.ContainsFunc(includes["*"], func(a string) bool { return !refAllows(scopes, a, path) })
	}
	return slices.ContainsFunc(scopes, func(s []string) bool {
		return slices.Contains(includes[s[0]], action) && refMatch(s[1:], path)
	})
}

// refParse splits a scope into its action and the segments of its pattern.
func refParse(text string) []string {
	parts := strings.Split(text, ":")
	return append([]string{parts[1]}, strings.Split(parts[2], "/")...)
}

// paths returns every path of at most depth segments from the alphabet.
func paths(depth int, alphabet ...string) (all []string) {
	level := []string{""}
	for range depth {
		var next []string
		for _, p := range level {
			for _, a := range alphabet {
				next = append(next, strings.TrimPrefix(p+"/"+a, "/"))
			}
		}
		all, level = append(all, next...), next
	}
	return all
}

// patterns returns the paths and every subtree above one of them.
func patterns(depth int, alphabet ...string) []string {
	all := append(paths(depth, alphabet...), "*")
	for _, p := range paths(depth-1, alphabet...) {
		all = append(all, p+"/*")
	}
	return all
}

func randomScopes(r *rand.Rand, n int, patterns []string) (scopes []string) {
	for range n {
		scopes = append(scopes, "secrets:"+string(actions[r.IntN(len(actions))])+":"+patterns[r.IntN(len(patterns))])
	}
	return scopes
}

type allower interface {
	Allows(a scope.Action, path string) bool
}

// differ compares what open makes of scopes with the reference, on at least n pairs, and returns the first difference.
// "a" is the start of "ab" and differs from "A" by case, so that the classic mistakes show.
func differ(n int, open func(scopes []string) allower) (difference string, allowed, denied int) {
	r := rand.New(rand.NewPCG(1, 2))
	all, pats := paths(3, "a", "ab", "A"), patterns(3, "a", "ab", "A")
	split := make([][]string, len(all))
	for i, p := range all {
		split[i] = strings.Split(p, "/")
	}
	for allowed+denied < n {
		scopes := randomScopes(r, 1+r.IntN(16), pats)
		set, ref := open(scopes), [][]string{}
		for _, s := range scopes {
			ref = append(ref, refParse(s))
		}
		for i, p := range all {
			for _, a := range actions {
				want := refAllows(ref, string(a), split[i])
				if got := set.Allows(a, p); got != want {
					return fmt.Sprintf("%v allows %s on %s: got %v, want %v", scopes, a, p, got, want), allowed, denied
				}
				if want {
					allowed++
				} else {
					denied++
				}
			}
		}
	}
	return "", allowed, denied
}

// TestReference compares at least a million pairs; KEYWARD_PAIRS=10000000 compares as many as it says.
func TestReference(t *testing.T) {
	n := 1_000_000
	if s := os.Getenv("KEYWARD_PAIRS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 1 {
			t.Fatalf("KEYWARD_PAIRS=%s is not a number of pairs", s)
		}
	}
	difference, allowed, denied := differ(n, func(scopes []string) allower { return scope.MustParse(scopes...) })
	if difference != "" {
		t.Fatal(difference)
	}
	t.Logf("%d pairs: %d allowed, %d denied", allowed+denied, allowed, denied)
	if total := allowed + denied; total < n || allowed*10 < total || denied*10 < total {
		t.Errorf("%d allowed and %d denied: too few of one kind to prove anything", allowed, denied)
	}
}

// broken is a matcher with one mistake: how a pattern matches, or what an action grants.
type broken struct {
	scopes []string
	match  func(pattern, path string) bool
	grants func(granted, asked string) bool
}

func (b broken) Allows(a scope.Action, path string) bool {
	if a == scope.Any {
		return !slices.ContainsFunc(includes["*"], func(a string) bool { return !b.Allows(scope.Action(a), path) })
	}
	return slices.ContainsFunc(b.scopes, func(s string) bool {
		parts := strings.Split(s, ":")
		return b.grants(parts[1], string(a)) && b.match(parts[2], path)
	})
}

// TestReferenceFindsMistakes: the comparison is worth something only while it finds these.
func TestReferenceFindsMistakes(t *testing.T) {
	match, grants := scope.Match, func(granted, asked string) bool { return slices.Contains(includes[granted], asked) }
	for _, c := range []struct {
		why    string
		found  bool
		match  func(pattern, path string) bool
		grants func(granted, asked string) bool
	}{
		{"no mistake", false, match, grants},
		{"prefix without the slash", true, func(pattern, path string) bool {
			dir, star := strings.CutSuffix(pattern, "/*")
			return pattern == "*" || path == pattern || star && strings.HasPrefix(path, dir) && path != dir
		}, grants},
		{"a star that matches the folder itself", true, func(pattern, path string) bool {
			return match(pattern, path) || pattern == path+"/*"
		}, grants},
		{"a star of one segment", true, func(pattern, path string) bool {
			return match(pattern, path) && strings.Count(pattern, "/") == strings.Count(path, "/")
		}, grants},
		{"a path that covers what is below it", true, func(pattern, path string) bool {
			return match(pattern, path) || strings.HasPrefix(path, pattern+"/")
		}, grants},
		{"case folded", true, func(pattern, path string) bool {
			return match(strings.ToLower(pattern), strings.ToLower(path))
		}, grants},
		{"use that reveals", true, match, func(granted, asked string) bool {
			return grants(granted, asked) || granted == "use" && asked == "read"
		}},
		{"read without use", true, match, func(granted, asked string) bool {
			return grants(granted, asked) && !(granted == "read" && asked == "use")
		}},
		{"write that lists", true, match, func(granted, asked string) bool {
			return grants(granted, asked) || granted == "write" && asked == "list"
		}},
	} {
		difference, _, _ := differ(100_000, func(scopes []string) allower { return broken{scopes, c.match, c.grants} })
		if (difference != "") != c.found {
			t.Errorf("%s: found %q", c.why, difference)
		}
	}
}
