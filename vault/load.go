// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keyward-go/keyward/scope"
)

// The functions of this file are step 4 of the door: they get ready what a call needs, before the commit and outside it.

func loadValue(ctx context.Context, v *Vault, c *call) (err error) {
	c.opened, err = v.sealer.open(ctx, c.req.Path, c.plan.number, c.plan.version)
	return err
}

func loadPut(_ context.Context, v *Vault, c *call) (err error) {
	c.row = &versionRow{Reason: c.req.Reason, Metadata: maps.Clone(c.req.Metadata)}
	c.sealed, err = v.sealer.seal(c.req.Path, c.plan.number, c.value, c.row)
	return err
}

func loadWhose(_ context.Context, v *Vault, c *call) error {
	mark := v.sealer.fingerprint(c.value)
	var items []Item
	v.look(func(w view) {
		for k, e := range w.rows {
			if r, ok := e.row.(*versionRow); ok && sameFingerprint(r.Fingerprint, mark) {
				secret, _ := w.secret(k.name)
				items = append(items, r.item(k.name, k.n, secret))
			}
		}
	})
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

func loadVersions(_ context.Context, v *Vault, c *call) error {
	var items []Item
	v.look(func(w view) {
		secret, _ := w.secret(c.req.Path)
		for n := secret.Next - 1; n > 0 && len(items) < maxList; n-- {
			if r, _ := w.version(c.req.Path, n); r != nil && !r.Gone {
				items = append(items, r.item(c.req.Path, n, secret))
			}
		}
	})
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

func loadList(_ context.Context, v *Vault, c *call) error {
	var items []Item
	v.look(func(w view) {
		for _, path := range w.folded {
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
	})
	if len(items) > maxList {
		return fmt.Errorf("%w: more than %d paths; list a narrower pattern", ErrInvalid, maxList)
	}
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(a.Path, b.Path) })
	c.answer = items
	return nil
}

func loadKeys(_ context.Context, v *Vault, c *call) error {
	var keys []Key
	v.look(func(w view) {
		for k, e := range w.rows {
			if r, ok := e.row.(*keyRow); ok {
				keys = append(keys, r.key(keyPrefix+k.name))
			}
		}
	})
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

// policyDetail is a policy as its record shows it.
func policyDetail(p Policy) string {
	b, _ := json.Marshal(p.json()) // checked before
	return string(b)
}

// causeOf is the cause that the record of a failed call keeps. It holds nothing of the error's text.
func causeOf(err error) string {
	for _, known := range []struct {
		err   error
		cause string
	}{
		{ErrTampered, "tampered"}, {ErrInvalid, "invalid"}, {ErrClosed, "closed"}, {ErrKMSUnavailable, "kms_unavailable"},
		{context.Canceled, "cancelled"}, {context.DeadlineExceeded, "deadline"},
	} {
		if errors.Is(err, known.err) {
			return known.cause
		}
	}
	return "error"
}
