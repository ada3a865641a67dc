// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

func (c *call) checkRevoke() error {
	id, isKey := strings.CutPrefix(c.target, keyPrefix)
	if len(c.target) <= longestID {
		good := true
		for part := range strings.SplitSeq(id, ".") {
			good = good && isHexID(part)
		}
		if good {
			return nil
		}
	}
	c.target = ""
	if isKey {
		return fmt.Errorf("revoke: not the id of a key")
	}
	return fmt.Errorf("revoke: not the id of a link; Claims and Tokens show them")
}

// decideRevoke lets a token revoke its last link and what was narrowed from it, and an operator any link and any key.
func decideRevoke(w view, c *call) (plan, *refusal) {
	if c.who.operator == "" {
		if own := c.who.claims.last().ID; c.target != own && !strings.HasPrefix(c.target, own+".") {
			return plan{}, outOfScope
		}
	}
	if w.key(c.target) != nil && !strings.HasPrefix(c.target, keyPrefix) {
		return plan{}, invalid(fmt.Errorf("that is the id of a key without its %q in front", keyPrefix))
	}
	if k := c.doom(); k.kind == 'k' && w.key(c.target) == nil {
		return plan{}, noKey
	}
	if root := rootOf(c.target); c.who.operator == "" && c.target != root && w.revoked(root) >= maxRevoked {
		return plan{}, tooMany
	}
	return plan{}, nil
}

// maxRevoked is how many links of one grant are revoked one by one; each is a row that every process holds.
const maxRevoked = 1024

// rootOf is the id of the grant from which a link comes.
func rootOf(id string) string {
	rest, isKey := strings.CutPrefix(id, keyPrefix)
	parts := strings.SplitN(rest, ".", 3)
	if isKey && len(parts) > 1 {
		return keyPrefix + parts[0] + "." + parts[1]
	}
	return id[:len(id)-len(rest)+len(parts[0])]
}

// doom is the row in which a revocation or freeze stands.
func (c *call) doom() rowKey {
	switch {
	case c.op == opFreeze:
		return c.frozen.row()
	case strings.HasPrefix(c.target, keyPrefix) && !strings.Contains(c.target, "."):
		return keyRowKey(c.target)
	}
	return rowKey{kind: 't', name: c.target}
}

// set is a set for many readers. Its zero value is empty.
type set[K comparable] struct {
	size atomic.Int64 // of m: most sets are empty, and looked at in every decision
	mu   sync.RWMutex
	m    map[K]struct{}
}

func (s *set[K]) add(k K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[K]struct{}{}
	}
	s.m[k] = struct{}{}
	s.size.Store(int64(len(s.m)))
}

func (s *set[K]) remove(k K) {
	if s.size.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, k)
	s.size.Store(int64(len(s.m)))
}

func (s *set[K]) all() []K {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Keys(s.m))
}

func (s *set[K]) has(k K) bool {
	if s.size.Load() == 0 {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.m[k]
	return ok
}

// doomed is what could not be made durable as revoked or frozen, and is refused in this process all the same.
type doomed struct {
	links   set[rowKey] // and keys
	freezes set[rowKey]
}

func (d *doomed) of(k rowKey) *set[rowKey] {
	if k.kind == 'f' {
		return &d.freezes
	}
	return &d.links
}

func (d *doomed) add(k rowKey) {
	if k != (rowKey{}) {
		d.of(k).add(k)
	}
}
func (d *doomed) remove(k rowKey)   { d.of(k).remove(k) }
func (d *doomed) has(k rowKey) bool { return d.of(k).has(k) }

// maxDoomed is how many links below their own tokens may doom; above it their own link is.
const maxDoomed = 1024
