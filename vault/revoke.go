// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
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
	if k := c.doom(); k.kind == 'k' && w.key(c.target) == nil {
		return plan{}, noKey
	}
	return plan{}, nil
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
type doomed struct{ set[rowKey] }

func (d *doomed) freezes() (out []rowKey) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for k := range d.m {
		if k.kind == 'f' {
			out = append(out, k)
		}
	}
	return out
}
