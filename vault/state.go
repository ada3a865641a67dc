// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"strings"
)

// state is every deciding row of the vault, at one head of its log. Whoever has the turn to commit writes it, under core.mu;
// callers read it under that lock.
type state struct {
	head   head
	rows   map[rowKey]entry
	sum    sum                 // of the keyed hashes of all rows
	folded map[string]string   // lower-case path → the path as it is written
	byHash map[[32]byte]string // hash of an agent or operator key → its id
	frozen map[rowKey]Frozen   // freezes that are not thawed

	revokedBelow map[string]int // how many links of a grant are revoked
	lives        lives
}

type entry struct {
	row   any // nil: there is none
	seq   int64
	mac   sum
	dirty bool // written by the running batch: mac is yet to come
}

func newState() *state {
	return &state{
		rows: map[rowKey]entry{}, folded: map[string]string{}, byHash: map[[32]byte]string{}, frozen: map[rowKey]Frozen{}, revokedBelow: map[string]int{},
	}
}

// set puts a row in place of the one before it, and keeps the sum and the indexes up.
func (s *state) set(k rowKey, e entry) {
	old, ok := s.rows[k]
	if ok {
		s.sum.sub(old.mac)
	}
	s.sum.add(e.mac)
	s.rows[k] = e
	switch r := e.row.(type) {
	case nil:
		delete(s.rows, k)
		if was, _ := old.row.(*tokenRow); was != nil && was.Revoked {
			if root := rootOf(k.name); s.revokedBelow[root] > 1 {
				s.revokedBelow[root]--
			} else {
				delete(s.revokedBelow, root)
			}
		}
	case *tokenRow:
		was, _ := old.row.(*tokenRow)
		if was == nil || was.Expires != r.Expires {
			s.lives.add(k, r.Expires)
		}
		if r.Revoked && (was == nil || !was.Revoked) {
			s.revokedBelow[rootOf(k.name)]++
		}
	case *secretRow:
		s.folded[strings.ToLower(k.name)] = k.name
	case *keyRow:
		s.byHash[r.Hash] = k.name
	case *freezeRow:
		if r.Thawed {
			delete(s.frozen, k)
		} else {
			s.frozen[k] = frozenOf(k)
		}
	}
}

// staging is what a running batch has changed and not yet committed.
type staging struct {
	rows   map[rowKey]entry
	folded map[string]string
	byHash map[[32]byte]string
	frozen map[rowKey]bool // whether it is frozen

	revoked map[string]int // how many more links of a grant are revoked
}

func (s *staging) reset() {
	if s.rows == nil {
		*s = staging{map[rowKey]entry{}, map[string]string{}, map[[32]byte]string{}, map[rowKey]bool{}, map[string]int{}}
	}
	clear(s.rows)
	clear(s.folded)
	clear(s.byHash)
	clear(s.frozen)
	clear(s.revoked)
}

func (s *staging) set(k rowKey, e entry) {
	s.rows[k] = e
	switch r := e.row.(type) {
	case *secretRow:
		s.folded[strings.ToLower(k.name)] = k.name
	case *keyRow:
		s.byHash[r.Hash] = k.name
	case *freezeRow:
		s.frozen[k] = !r.Thawed
	}
}
