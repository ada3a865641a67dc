// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"strings"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/scope"
)

// words are the scopes that the vendor's clients have beside its grammar: those of the CLI, and one of the MCP server.
var words = map[string]scope.Action{
	"read:secrets": scope.Read, "write:secrets": scope.Write, "rotate:secrets": scope.Write, "import:secrets": scope.Write,
	"namespaces:read": scope.List,
}

// granted reads the scopes that a token is asked for. A word becomes its action on what own covers of it.
func granted(asked []string, own scope.Set) (scope.Set, error) {
	var all []string
	for _, s := range asked {
		action, ok := words[s]
		if !ok {
			all = append(all, s)
			continue
		}
		found := false
		for _, pattern := range patterns(own) {
			want := "secrets:" + string(action) + ":" + pattern
			if set, err := scope.Parse(want); err == nil {
				if _, ok := own.Covers(set); ok {
					all, found = append(all, want), true
				}
			}
		}
		if !found { // the vault refuses it, and its record says what was asked
			all = append(all, "secrets:"+string(action)+":*")
		}
	}
	return parse(all)
}

func parse(all []string) (scope.Set, error) {
	for _, s := range all {
		if s == "manage:agents" {
			return scope.Set{}, front.Malformed("manage:agents: keys of agents and tokens cannot do that; use the credential of an operator (kw_op_…)")
		}
	}
	set, err := scope.Parse(all...)
	if err != nil {
		return set, front.Malformed("scopes: %v", err)
	}
	return set, nil
}

// patterns are those of a set; of no set, which is an operator's, all.
func patterns(own scope.Set) (all []string) {
	for s := range strings.FieldsSeq(own.String()) {
		_, pattern, _ := strings.Cut(strings.TrimPrefix(s, "secrets:"), ":")
		all = append(all, pattern)
	}
	return all
}

// limits are the scopes of an agent key: each word on each namespace; a scope of the grammar has to be inside of them.
func limits(namespaces, asked []string) (scope.Set, error) {
	if len(namespaces) == 0 || len(asked) == 0 {
		return scope.Set{}, front.Malformed("allowed_namespaces and allowed_scopes: at least one each")
	}
	var fence, all []string
	for _, ns := range namespaces {
		if ns != "*" && !strings.HasSuffix(ns, "/*") {
			ns += "/*"
		}
		if scope.CheckPattern(ns) != nil {
			return scope.Set{}, front.Malformed("allowed_namespaces: names as production or production/search, of A-Z a-z 0-9 . _ - and slashes; or *")
		}
		fence = append(fence, "secrets:*:"+ns)
		for _, s := range asked {
			if action, ok := words[s]; ok {
				all = append(all, "secrets:"+string(action)+":"+ns)
			}
		}
	}
	for _, s := range asked {
		if _, ok := words[s]; !ok {
			all = append(all, s)
		}
	}
	set, err := parse(all)
	if err != nil {
		return set, err
	}
	around, err := parse(fence)
	if err != nil {
		return set, err
	}
	if missing, ok := around.Covers(set); !ok {
		return set, front.Malformed("allowed_scopes: for example %s is in none of allowed_namespaces", missing)
	}
	return set, nil
}
