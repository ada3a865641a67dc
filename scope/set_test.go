// SPDX-License-Identifier: Apache-2.0

package scope_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/keyward-go/keyward/scope"
)

// TestMonotone: a further scope never takes anything away, so the language cannot deny.
func TestMonotone(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	all, pats := paths(3, "a", "ab"), patterns(3, "a", "ab")
	for range 1_000 {
		scopes := randomScopes(r, 8, pats)
		var smaller scope.Set
		for n := range scopes {
			larger := scope.MustParse(scopes[:n+1]...)
			for _, p := range all {
				for _, a := range actions {
					if smaller.Allows(a, p) && !larger.Allows(a, p) {
						t.Fatalf("%v allows %s on %s, and no longer with %s", smaller, a, p, scopes[n])
					}
				}
			}
			if missing, ok := larger.Covers(smaller); !ok {
				t.Fatalf("%v does not cover %v: %s", larger, smaller, missing)
			}
			smaller = larger
		}
	}
}

// TestText: order and doubles do not matter to Parse, and there is one text for a set.
func TestText(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	pats := patterns(3, "a", "B-1")
	for range 2_000 {
		scopes := randomScopes(r, 1+r.IntN(20), pats)
		s := scope.MustParse(scopes...)
		want := slices.Compact(slices.Sorted(slices.Values(scopes)))
		if got := s.String(); got != strings.Join(want, " ") {
			t.Fatalf("%q prints as %q", scopes, got)
		}
		r.Shuffle(len(scopes), func(i, j int) { scopes[i], scopes[j] = scopes[j], scopes[i] })
		if again := scope.MustParse(append(scopes, scopes[0])...); !reflect.DeepEqual(again, s) {
			t.Fatalf("%v and %v", again, s)
		}
		var back scope.Set
		text, _ := s.MarshalText()
		if err := back.UnmarshalText(text); err != nil || !reflect.DeepEqual(back, s) {
			t.Fatalf("%q: %v, %v", text, back, err)
		}
	}
}

func TestUnmarshalTextRefuses(t *testing.T) {
	sixtyFive := make([]string, 65)
	for i := range sixtyFive {
		sixtyFive[i] = fmt.Sprintf("secrets:read:%02d", i)
	}
	if err := new(scope.Set).UnmarshalText([]byte(strings.Join(sixtyFive[:64], " "))); err != nil {
		t.Errorf("64 scopes: %v", err)
	}
	before := scope.MustParse("secrets:read:before")
	for why, text := range map[string]string{
		"not sorted":        "secrets:read:b secrets:read:a",
		"a double":          "secrets:read:a secrets:read:a",
		"two spaces":        "secrets:read:a  secrets:read:b",
		"a space in front":  " secrets:read:a",
		"a space behind":    "secrets:read:a ",
		"a space alone":     " ",
		"a newline behind":  "secrets:read:a\n",
		"a newline between": "secrets:read:a\nsecrets:read:b",
		"a comma between":   "secrets:read:a,secrets:read:b",
		"65 scopes":         strings.Join(sixtyFive, " "),
		"a million spaces":  strings.Repeat(" ", 1_000_000),
		"not a scope":       "secrets:read:a x",
	} {
		s := before
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%s: accepted", why)
		}
		if !reflect.DeepEqual(s, before) {
			t.Errorf("%s: the set is now %v", why, s)
		}
	}
}

func TestUnmarshalTextLeavesCopies(t *testing.T) {
	s := scope.MustParse("secrets:read:a", "secrets:read:b")
	copied, text := s, []byte("secrets:read:c secrets:read:d")
	if err := s.UnmarshalText(text); err != nil {
		t.Fatal(err)
	}
	for i := range text {
		text[i] = 'x'
	}
	if got := copied.String() + " | " + s.String(); got != "secrets:read:a secrets:read:b | secrets:read:c secrets:read:d" {
		t.Error(got)
	}
}

// TestParseCopies: changing the slice that was parsed does not change the set.
func TestParseCopies(t *testing.T) {
	scopes := []string{"secrets:read:b", "secrets:read:a"}
	s := scope.MustParse(scopes...)
	if scopes[0] != "secrets:read:b" {
		t.Error("Parse sorted its argument")
	}
	scopes[1] = "secrets:*:*"
	if s.Allows(scope.Write, "a") || !s.Allows(scope.Read, "a") {
		t.Error("the set changed with the slice")
	}
}

func TestZeroAndJSON(t *testing.T) {
	type grant struct {
		Scopes scope.Set `json:"scopes,omitzero"`
	}
	for text, g := range map[string]grant{
		`{}`: {}, `{"scopes":"secrets:read:a secrets:use:b/*"}`: {scope.MustParse("secrets:use:b/*", "secrets:read:a")},
	} {
		got, err := json.Marshal(g)
		if err != nil || string(got) != text {
			t.Errorf("%s, %v; want %s", got, err, text)
		}
		var back grant
		if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, g) {
			t.Errorf("%v, %v; want %v", back, err, g)
		}
		if g.Scopes.IsZero() != (text == `{}`) {
			t.Errorf("%s: IsZero is %v", text, g.Scopes.IsZero())
		}
	}
	s := scope.MustParse("secrets:read:a")
	if err := s.UnmarshalText(nil); err != nil || !s.IsZero() || s.String() != "" {
		t.Errorf("empty text: %v, %v", s, err)
	}
	if got := fmt.Sprint(scope.MustParse("secrets:read:a")); got != "secrets:read:a" {
		t.Errorf("prints as %s", got)
	}
}

func TestAllocations(t *testing.T) {
	var names []string
	for i := range 64 {
		names = append(names, fmt.Sprintf("secrets:use:production/team-%d/*", i))
	}
	s := scope.MustParse(names...)
	var sink bool
	for why, f := range map[string]func(){
		"allowed":       func() { sink = s.Allows(scope.Use, "production/team-9/x") },
		"denied":        func() { sink = s.Allows(scope.Read, "production/team-9/x") },
		"any":           func() { sink = s.Allows(scope.Any, "production/team-9/x") },
		"a bad action":  func() { sink = s.Allows("reveal", "production/team-9/x") },
		"a bad path":    func() { sink = s.Allows(scope.Use, "production/team-9/..") },
		"CheckPath":     func() { sink = scope.CheckPath("production/team-9/x") == nil },
		"CheckPath bad": func() { sink = scope.CheckPath("production/../x") == nil },
		"CheckPattern":  func() { sink = scope.CheckPattern("production/*/x") == nil },
		"Match":         func() { sink = scope.Match("production/*", "production/team-9/x") },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", why, n)
		}
	}
	_ = sink
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	s := scope.MustParse("secrets:read:a/*", "secrets:write:b")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				_, ok := s.Covers(s)
				if !ok || !s.Allows(scope.Use, "a/b") || s.Allows(scope.Use, "b") || s.String() == "" {
					t.Error("wrong answer")
				}
			}
		})
	}
	wg.Wait()
}
