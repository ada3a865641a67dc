// SPDX-License-Identifier: Apache-2.0

package scope

import "strings"

// probes are the segments of one byte; a dot alone is none. "x" comes first because it reads best in a message.
const probes = "xyzabcdefghijklmnopqrstuvwABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// Covers reports whether s allows everything that t allows. If not, missing is a counter-example: a scope with a basic
// action and a path, such as secrets:read:staging/x, that t allows and s does not. The answer is exact, also where only
// several scopes of s together cover one of t, and the same for the same sets. Every set covers the zero Set.
//
// A set of 64 scopes is compared with another in a few milliseconds at worst.
func (s Set) Covers(t Set) (missing string, ok bool) {
	for i := range t.rules {
		r := &t.rules[i]
		for bit, action := range basic {
			if r.grants&(1<<bit) == 0 {
				continue
			}
			if path, ok := s.uncovered(action, r.compiled); !ok {
				return "secrets:" + string(action) + ":" + path, false
			}
		}
	}
	return "", true
}

// uncovered returns a path that c matches and on which s does not allow the basic action a; ok if there is none.
//
// For a subtree P/* it tries P/x for the 64 segments x of one byte, and for xx. That is enough. Whatever allows P/x is
// either a subtree that holds all of P/*, and then there is nothing to find, or the path P/x itself: a subtree below P
// holds only paths with at least two segments more than P. A set has at most 64 scopes and 65 paths are tried, so if no
// subtree holds P/*, one is free. The exception is a P of 510 bytes: P/xx is then too long to be a path, P/* holds the
// 64 others and no more, and 64 scopes can name them all.
func (s Set) uncovered(a Action, c compiled) (path string, ok bool) {
	if !c.subtree {
		return c.prefix, s.Allows(a, c.prefix)
	}
	if s.holds(a, c.prefix) {
		return "", true
	}
	for i := range len(probes) + 1 {
		x := "xx"
		if i < len(probes) {
			x = probes[i : i+1]
		}
		if path := c.prefix + x; CheckPath(path) == nil && !s.Allows(a, path) {
			return path, false
		}
	}
	return "", true
}

// holds reports whether one scope of s allows a on the whole subtree with the prefix. It only saves the probes.
func (s Set) holds(a Action, prefix string) bool {
	for i := range s.rules {
		if r := &s.rules[i]; r.grants&a.needs() != 0 && r.subtree && strings.HasPrefix(prefix, r.prefix) {
			return true
		}
	}
	return false
}
