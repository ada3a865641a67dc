// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keyward-go/keyward/scope"
)

// The functions answer… of this file are step 6 of the calls that list: they read the state as it is after the commit of
// their record, so that they never answer what was older.

func answerWhose(w view, c *call) error {
	var items []Item
	for k, e := range w.rows {
		if r, ok := e.row.(*versionRow); ok && sameFingerprint(r.Fingerprint, c.print) {
			secret, _ := w.secret(k.name)
			items = append(items, r.item(k.name, k.n, secret))
		}
	}
	slices.SortFunc(items, func(a, b Item) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.Version, b.Version))
	})
	c.answer = items
	return nil
}

func decideVersions(w view, c *call) (plan, *refusal) {
	if r := covered(c); r != nil {
		return plan{}, r
	}
	if secret, _ := w.secret(c.req.Path); secret == nil {
		return plan{}, notFound
	}
	return plan{}, nil
}

func answerVersions(w view, c *call) error {
	var items []Item
	secret, _ := w.secret(c.req.Path)
	for n := secret.Next - 1; n > 0 && len(items) < maxList; n-- {
		if r, _ := w.version(c.req.Path, n); r != nil && !r.Gone {
			items = append(items, r.item(c.req.Path, n, secret))
		}
	}
	slices.Reverse(items)
	c.answer = items
	return nil
}

// decideList refuses a pattern of which no part is in the scope of every link. What is not, is left out.
func decideList(_ view, c *call) (plan, *refusal) {
	for i, l := range c.who.claims {
		if c.who.operator == "" && !overlaps(l.Grant.Scopes, c.req.Path) && !(i > c.who.claims.first() && l.Grant.Scopes.IsZero()) {
			return plan{}, outOfScope
		}
	}
	return plan{}, nil
}

// overlaps reports whether some path of the pattern may be listed under set. Two patterns have a path in common only if
// one covers the other.
func overlaps(set scope.Set, pattern string) bool {
	stem := strings.TrimSuffix(pattern, "*")
	for s := range strings.FieldsSeq(set.String()) {
		action, p, _ := strings.Cut(strings.TrimPrefix(s, "secrets:"), ":")
		if a := scope.Action(action); a == scope.Write || a == scope.Delete {
			continue
		}
		other := strings.TrimSuffix(p, "*")
		if p == pattern || scope.Match(p, pattern) || scope.Match(pattern, p) ||
			stem != pattern && other != p && (strings.HasPrefix(stem, other) || strings.HasPrefix(other, stem)) {
			return true
		}
	}
	return false
}

func answerList(w view, c *call) error {
	var items []Item
	for _, path := range w.folded {
		if len(items) > maxList {
			break
		}
		if !scope.Match(c.req.Path, path) {
			continue
		}
		if c.who.operator == "" && (!c.who.claims.allows(scope.List, path) || pathFrozen(w, path)) {
			continue
		}
		secret, _ := w.secret(path)
		for n := secret.Next - 1; n > 0; n-- {
			if r, _ := w.version(path, n); r != nil && !r.Gone {
				items = append(items, r.item(path, n, secret))
				break
			}
		}
	}
	if len(items) > maxList {
		return fmt.Errorf("%w: more than %d paths; list a narrower pattern", ErrInvalid, maxList)
	}
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(a.Path, b.Path) })
	c.answer = items
	return nil
}

func answerKeys(w view, c *call) error {
	var keys []Key
	for k, e := range w.rows {
		if r, ok := e.row.(*keyRow); ok {
			keys = append(keys, r.key(keyPrefix+k.name))
		}
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Or(a.Expires.Compare(b.Expires), strings.Compare(a.ID, b.ID)) })
	c.answer = keys
	return nil
}

// item is what a caller sees of a version, without its value.
func (r *versionRow) item(path string, n int, secret *secretRow) Item {
	return Item{
		Path: path, Version: n, Policy: secret.Policy.clone(), Metadata: maps.Clone(r.Metadata),
		Created: r.Created, Reason: r.Reason,
	}
}
