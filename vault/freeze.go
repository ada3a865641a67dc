// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keyward-go/keyward/scope"
)

// Frozen is what an operator's freeze stops, until it is thawed: every token that touches a path, or that an agent (and
// what is named below it), run, user or tenant stands in, at any link. It holds at once, in every process; what was
// released before goes on.
type Frozen struct {
	Kind  string // path, agent, run, user or tenant
	Value string // for a path a pattern as in a scope
}

const kindPath = "path"

func (f Frozen) row() rowKey { return rowKey{kind: 'f', name: f.Kind + ":" + f.Value} }

// target is how a record names the freeze; nothing if it is malformed.
func (f Frozen) target() string {
	if f.check() != nil {
		return ""
	}
	return f.Kind + ":" + f.Value
}

func frozenOf(k rowKey) (f Frozen) {
	f.Kind, f.Value, _ = strings.Cut(k.name, ":")
	return f
}

func (c *call) checkFrozen() error { return c.frozen.check() }

func (f Frozen) check() error {
	switch f.Kind {
	case kindPath:
		return scope.CheckPattern(f.Value)
	case "agent":
		if isAgent(f.Value) {
			return nil
		}
	case "run", "user", "tenant":
		if isName(f.Value) {
			return nil
		}
	default:
		return fmt.Errorf("freeze: kind is path, agent, run, user or tenant")
	}
	return fmt.Errorf("freeze: %s is not a name", f.Kind)
}

// stops reports whether the freeze is of something that the grant stands for.
func (f Frozen) stops(g Grant) bool {
	switch f.Kind {
	case "agent":
		return g.Agent != "" && below(g.Agent, f.Value)
	case "run":
		return g.Run == f.Value
	case "user":
		return g.User == f.Value
	case "tenant":
		return g.Tenant == f.Value
	}
	return false
}

func answerFreezes(w view, c *call) error {
	c.answer = slices.SortedFunc(w.freezes, func(a, b Frozen) int { return strings.Compare(a.target(), b.target()) })
	return nil
}

func decideThaw(w view, c *call) (plan, *refusal) {
	r, _ := w.get(c.frozen.row()).row.(*freezeRow)
	if (r == nil || r.Thawed) && !w.v.doomed.has(c.frozen.row()) {
		return plan{}, thawed
	}
	return plan{}, nil
}
