// SPDX-License-Identifier: Apache-2.0

package front

import (
	"crypto/sha256"
	"net/netip"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/keyward-go/keyward/vault"
)

const maxSessions = 4096

// sessions keeps those of bearers that the vault has proven, the ones used last: a session proves its token once. Whether it lives,
// and what it may do, the vault decides at each call all the same.
type sessions struct {
	mu  sync.Mutex
	lru *simplelru.LRU[holder, *vault.Session]
}

// holder is a bearer at an address, since a token may be bound to networks.
type holder struct {
	bearer [sha256.Size]byte
	from   netip.Addr
}

func newSessions() *sessions {
	lru, _ := simplelru.NewLRU[holder, *vault.Session](maxSessions, nil) // fails for a size below one
	return &sessions{lru: lru}
}

func (s *sessions) get(h holder) (*vault.Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lru.Get(h)
}

func (s *sessions) keep(h holder, session *vault.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lru.Add(h, session)
}
