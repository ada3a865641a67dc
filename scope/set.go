// SPDX-License-Identifier: Apache-2.0

package scope

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const maxScopes = 64

const scopeRule = "a scope is secrets:ACTION:PATTERN, where ACTION is read, use, write, delete, list or *"

var (
	errNoScopes = errors.New("at least one scope is needed")
	errScopes   = errors.New("at most 64 scopes are allowed")
	errScope    = errors.New("scope is malformed: " + scopeRule)
	errAction   = errors.New("scope has an unknown action: " + scopeRule)
)

// Set is an immutable set of scopes, compiled once. It allows what any of its scopes allows. The zero Set allows
// nothing. Copies share memory and are safe for concurrent use.
type Set struct {
	rules []rule // sorted by text, each text once; nil if empty; never written after it was made
}

type rule struct {
	text   string // the scope as written
	grants bits
	compiled
}

// Parse makes a Set of 1 to 64 scopes in any order; a scope that is given twice is kept once. No scopes at all are an
// error, because a list that came out empty is more often a mistake than a wish; the empty set is Set{}. The error says
// what is allowed and which scope was wrong by its position, and does not quote it.
func Parse(scopes ...string) (Set, error) {
	switch {
	case len(scopes) == 0:
		return Set{}, errNoScopes
	case len(scopes) > maxScopes:
		return Set{}, errScopes
	}
	rules := make([]rule, len(scopes))
	for i, text := range scopes {
		r, err := parse(text)
		if err != nil {
			return Set{}, fmt.Errorf("scope %d of %d: %w", i+1, len(scopes), err)
		}
		rules[i] = r
	}
	slices.SortFunc(rules, func(a, b rule) int { return cmp.Compare(a.text, b.text) })
	return Set{slices.Clip(slices.Compact(rules))}, nil // equal texts make equal rules
}

// MustParse is Parse for scopes that are written in the program. It panics where Parse answers with an error.
func MustParse(scopes ...string) Set {
	s, err := Parse(scopes...)
	if err != nil {
		panic("scope: " + err.Error())
	}
	return s
}

// Allows reports whether s allows the action on the path. Any is allowed where every action is, be it by one scope or
// by several. A malformed path and an unknown action are not allowed by any set. Allows does not allocate.
func (s Set) Allows(a Action, path string) bool {
	need := a.needs()
	if need == 0 || CheckPath(path) != nil {
		return false
	}
	for i := range s.rules {
		if r := &s.rules[i]; need&r.grants != 0 && r.match(path) {
			if need &^= r.grants; need == 0 {
				return true
			}
		}
	}
	return false
}

// IsZero reports whether s has no scopes. It makes the json option omitzero work.
func (s Set) IsZero() bool { return len(s.rules) == 0 }

func parse(text string) (rule, error) {
	rest, ok := strings.CutPrefix(text, "secrets:")
	if !ok {
		return rule{}, errScope
	}
	action, pattern, ok := strings.Cut(rest, ":")
	if !ok {
		return rule{}, errScope
	}
	grants := Action(action).grants()
	if grants == 0 {
		return rule{}, errAction
	}
	if err := CheckPattern(pattern); err != nil {
		return rule{}, err
	}
	return rule{text, grants, compile(pattern)}, nil
}
