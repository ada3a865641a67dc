// SPDX-License-Identifier: Apache-2.0

package scope_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/scope"
)

// checkMissing fails unless missing is a scope with a basic action and a path that t allows and s does not.
func checkMissing(t *testing.T, s, of scope.Set, missing string) {
	t.Helper()
	if _, err := scope.Parse(missing); err != nil {
		t.Fatalf("%q is not a scope: %v", missing, err)
	}
	parts := strings.Split(missing, ":")
	a, path := scope.Action(parts[1]), parts[2]
	if a == scope.Any || scope.CheckPath(path) != nil {
		t.Errorf("%q is not a basic action on a path", missing)
	}
	if !of.Allows(a, path) || s.Allows(a, path) {
		t.Errorf("%q is no counter-example: %v must allow it and %v must not", missing, of, s)
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		why     string
		s, t    []string
		missing string // empty if s covers t
	}{
		{"itself", []string{"secrets:read:a/*"}, []string{"secrets:read:a/*"}, ""},
		{"a path below", []string{"secrets:read:a/*"}, []string{"secrets:use:a/b"}, ""},
		{"a subtree below", []string{"secrets:read:a/*"}, []string{"secrets:list:a/b/*"}, ""},
		{"everything", []string{"secrets:*:*"}, []string{"secrets:read:*", "secrets:write:a", "secrets:*:a/*"}, ""},
		{"the star action by several", []string{
			"secrets:read:x", "secrets:write:x", "secrets:delete:x", "secrets:use:x", "secrets:list:x",
		}, []string{"secrets:*:x"}, ""},
		{"the star action by the three that matter", []string{
			"secrets:read:*", "secrets:write:x/*", "secrets:delete:x/y/*",
		}, []string{"secrets:*:x/y/*"}, ""},
		{"two scopes by two", []string{"secrets:read:a/*", "secrets:write:b"}, []string{"secrets:write:b", "secrets:use:a/x"}, ""},
		{"the zero set by the zero set", nil, nil, ""},
		{"the zero set", []string{"secrets:read:a"}, nil, ""},
		{"something by nothing", nil, []string{"secrets:read:staging/*"}, "secrets:read:staging/x"},
		{"another subtree", []string{"secrets:read:production/*"}, []string{"secrets:read:staging/*"}, "secrets:read:staging/x"},
		{"a neighbour", []string{"secrets:read:production/*"}, []string{"secrets:read:production2/*"}, "secrets:read:production2/x"},
		{"the folder itself", []string{"secrets:read:a/*"}, []string{"secrets:read:a"}, "secrets:read:a"},
		{"a subtree by its folder", []string{"secrets:read:a"}, []string{"secrets:read:a/*"}, "secrets:read:a/x"},
		{"a tree by its part", []string{"secrets:read:a/b/*"}, []string{"secrets:read:a/*"}, "secrets:read:a/x"},
		{"a tree by two parts", []string{"secrets:read:a/x", "secrets:read:a/x/*"}, []string{"secrets:read:a/*"}, "secrets:read:a/y"},
		{"read by use", []string{"secrets:use:a"}, []string{"secrets:read:a"}, "secrets:read:a"},
		{"the star action by read", []string{"secrets:read:a"}, []string{"secrets:*:a"}, "secrets:write:a"},
		{"the star action without delete", []string{"secrets:read:*", "secrets:write:*"}, []string{"secrets:*:a/*"}, "secrets:delete:a/x"},
		{"every path", []string{"secrets:read:a/*"}, []string{"secrets:read:*"}, "secrets:read:x"},
	} {
		var s, of scope.Set
		if c.s != nil {
			s = scope.MustParse(c.s...)
		}
		if c.t != nil {
			of = scope.MustParse(c.t...)
		}
		missing, ok := s.Covers(of)
		if missing != c.missing || ok != (c.missing == "") {
			t.Errorf("%s: missing %q, %v; want %q", c.why, missing, ok, c.missing)
		}
		if !ok {
			checkMissing(t, s, of, missing)
		}
	}
}

// TestCoversByBruteForce asks about every path of a small world. The world holds segments that the scopes do not name,
// so a pattern that is not covered shows there.
func TestCoversByBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	world, pats := paths(4, "a", "b", "other"), patterns(3, "a", "b")
	covered, trials := 0, 8_000
	if testing.Short() {
		trials = 2_000
	}
	for range trials {
		s := scope.MustParse(randomScopes(r, 1+r.IntN(12), pats)...)
		of := scope.MustParse(randomScopes(r, 1+r.IntN(2), pats)...)
		want := !slices.ContainsFunc(world, func(p string) bool {
			return slices.ContainsFunc(actions, func(a scope.Action) bool { return of.Allows(a, p) && !s.Allows(a, p) })
		})
		missing, ok := s.Covers(of)
		if ok != want {
			t.Fatalf("%v covers %v: got %v (%q), want %v", s, of, ok, missing, want)
		}
		if ok {
			covered++
		} else {
			checkMissing(t, s, of, missing)
		}
	}
	t.Logf("%d pairs of sets, %d covered", trials, covered)
	if covered*10 < trials || covered*10 > trials*9 {
		t.Errorf("%d of %d covered: too few of one kind to prove anything", covered, trials)
	}
}

// TestCoversWithoutRoom: below 510 bytes there is room for 64 paths and no more, and 64 scopes can name them all.
func TestCoversWithoutRoom(t *testing.T) {
	const bytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, room := range []int{1, 2, 3} {
		top := long(511 - room)
		of := scope.MustParse("secrets:use:" + top + "/*")
		var names []string
		for i := range len(bytes) {
			names = append(names, "secrets:read:"+top+"/"+bytes[i:i+1])
		}
		all := scope.MustParse(names...)
		missing, ok := all.Covers(of)
		if ok != (room == 1) {
			t.Errorf("room for %d bytes: covered %v, missing %q", room, ok, missing)
		}
		if !ok {
			checkMissing(t, all, of, missing)
		}
		for i := range names {
			most := scope.MustParse(slices.Delete(slices.Clone(names), i, i+1)...)
			missing, ok := most.Covers(of)
			if ok {
				t.Fatalf("room for %d bytes: covered without %q", room, bytes[i:i+1])
			}
			checkMissing(t, most, of, missing)
		}
	}
	// Elsewhere 64 names are not enough either.
	var names []string
	for i := range len(bytes) {
		names = append(names, "secrets:*:"+bytes[i:i+1])
	}
	of := scope.MustParse("secrets:list:*")
	missing, ok := scope.MustParse(names...).Covers(of)
	if ok {
		t.Fatal("64 names cover the star")
	}
	checkMissing(t, scope.MustParse(names...), of, missing)
}
