// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"math/bits"
	"slices"
	"sort"
	"strings"
)

// matcher finds the longest pattern that begins at a place, and tells whether what is left of a text could become one. It is
// a sorted list behind a filter: a bitmap, indexed by a hash of the first window bytes, says of nearly every place that no
// pattern begins there. The modules for Aho-Corasick that there are keep no state between chunks, and a trie of some thousand
// patterns takes a hundred times the memory. It never changes.
type matcher struct {
	patterns []string // sorted, each once
	parent   []int32  // the longest other pattern that this one begins with, or -1
	longest  int
	bytes    int
	window   int // 8, or 4 if there is a pattern of fewer than 8 bytes
	filter   []uint64
	shift    int // of a 64-bit hash, to index the bits of filter
}

// newMatcher returns one with the patterns of old, which may be nil, and more, which it sorts.
func newMatcher(old *matcher, more []string) *matcher {
	m := &matcher{window: 8}
	var rest []string
	if old != nil {
		rest = old.patterns
	}
	m.patterns = make([]string, 0, len(rest)+len(more))
	slices.Sort(more)
	for _, p := range slices.Compact(more) {
		i, known := slices.BinarySearch(rest, p)
		m.patterns = append(m.patterns, rest[:i]...)
		if rest = rest[i:]; !known {
			m.patterns = append(m.patterns, p)
		}
	}
	m.patterns = append(m.patterns, rest...)
	m.parent = make([]int32, len(m.patterns))
	for i, p := range m.patterns {
		m.longest, m.bytes = max(m.longest, len(p)), m.bytes+len(p)
		if len(p) < 8 {
			m.window = 4
		}
		// What a pattern begins with is sorted before it, and so is all that lies between them: a chain of parents.
		m.parent[i] = int32(i) - 1
		for q := m.parent[i]; q >= 0 && !strings.HasPrefix(p, m.patterns[q]); q = m.parent[i] {
			m.parent[i] = m.parent[q]
		}
	}
	log := max(16, bits.Len(uint(len(m.patterns)))+5)
	m.filter, m.shift = make([]uint64, 1<<(log-6)), 64-log
	for _, p := range m.patterns {
		h := m.hash(p, 0)
		m.filter[h/64] |= 1 << (h % 64)
	}
	return m
}

// hash is of the window of s at i. It is a filter's, not a secret's.
func (m *matcher) hash(s string, i int) uint64 {
	if m.window == 4 {
		return uint64(load4(s[i:i+4])) * 0x9e3779b97f4a7c15 >> m.shift
	}
	return load8(s[i:i+8]) * 0x9e3779b97f4a7c15 >> m.shift
}

func load4(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func load8(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// next returns the first place from i on where a pattern may begin: where the filter says so, or too near to the end for it.
func (m *matcher) next(s string, i int) int {
	if m.window == 8 { // the loop of all clean text
		for ; i+8 <= len(s); i++ {
			if h := load8(s[i:i+8]) * 0x9e3779b97f4a7c15 >> m.shift; m.filter[h/64]&(1<<(h%64)) != 0 {
				return i
			}
		}
		return i
	}
	for ; i+4 <= len(s); i++ {
		if h := m.hash(s, i); m.filter[h/64]&(1<<(h%64)) != 0 {
			return i
		}
	}
	return i
}

// at returns the length of the longest pattern that s begins with, 0 if there is none, and whether a longer one begins
// with all of s.
func (m *matcher) at(s string) (n int, open bool) {
	i := sort.Search(len(m.patterns), func(i int) bool { return m.patterns[i] > s }) // those before it are not greater than s
	open = i < len(m.patterns) && strings.HasPrefix(m.patterns[i], s)
	// A pattern that s begins with is not greater than s, and every string between the two begins with it: it is the last of
	// them that are not greater, or among its parents.
	for q := int32(i) - 1; q >= 0; q = m.parent[q] {
		if strings.HasPrefix(s, m.patterns[q]) {
			return len(m.patterns[q]), open
		}
	}
	return 0, open
}

// any reports whether s contains a pattern.
func (m *matcher) any(s string) bool {
	for i := m.next(s, 0); i < len(s); i = m.next(s, i+1) {
		if n, _ := m.at(s[i:]); n > 0 {
			return true
		}
	}
	return false
}
