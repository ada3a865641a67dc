// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

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
