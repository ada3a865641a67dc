// SPDX-License-Identifier: Apache-2.0

package mcp

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/vault"
)

const (
	maxGrants = 1024
	maxOfOne  = 16 // of one grant: itself, its narrowings, and the addresses that they come from
)

// who is the holder of one bearer at one address, since a token may be bound to networks.
type who struct {
	grant string
	token [sha256.Size]byte
	from  netip.Addr
}

// one is the agent that a holder acts as, kept so that its rate and the values to mask outlast a request.
type one struct {
	server *sdk.Server
	ends   time.Time
	alive  atomic.Bool // the vault has said so once
}

// known keeps the agents, those that have called last. A holder can narrow its token to as many as it likes: it pushes out its
// own.
type known struct {
	mu     sync.Mutex
	swept  time.Time
	grants *simplelru.LRU[string, *simplelru.LRU[who, *one]]
}

func newKnown() *known {
	grants, _ := simplelru.NewLRU[string, *simplelru.LRU[who, *one]](maxGrants, nil) // fails for a size below one
	return &known{grants: grants}
}

// get returns the agent of w, or keeps the one that build makes.
func (k *known) get(w who, build func() (*one, error)) (*one, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	holders, ok := k.grants.Get(w.grant)
	if ok {
		if o, ok := holders.Get(w); ok {
			return o, nil
		}
	}
	o, err := build()
	if err != nil {
		return nil, err
	}
	if now := time.Now(); now.Sub(k.swept) >= time.Second {
		k.sweep(now)
		k.swept = now
	}
	if holders, ok = k.grants.Get(w.grant); !ok {
		holders, _ = simplelru.NewLRU[who, *one](maxOfOne, nil)
		k.grants.Add(w.grant, holders)
	}
	holders.Add(w, o)
	return o, nil
}

// sweep forgets those whose time is over, and with them the values that they touched.
func (k *known) sweep(now time.Time) {
	for _, grant := range k.grants.Keys() {
		holders, _ := k.grants.Peek(grant)
		for _, w := range holders.Keys() {
			if o, _ := holders.Peek(w); !now.Before(o.ends) {
				holders.Remove(w)
			}
		}
		if holders.Len() == 0 {
			k.grants.Remove(grant)
		}
	}
}

func (k *known) forget(w who) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if holders, ok := k.grants.Peek(w.grant); ok {
		holders.Remove(w)
	}
}

// errRecorded: the token is dead, and the record of that is there.
var errRecorded = errors.New("recorded")

// admit returns the visit of whoever holds the bearer. The vault proves each request; at the first one of a token, and when its
// time is over, it is asked whether the token lives. What it cannot prove, the door is asked about, which records it.
func (h *handler) admit(ctx context.Context, s *vault.Session, bearer string, from netip.Addr) (*visit, error) {
	claims, err := s.Claims(ctx)
	if errors.Is(err, vault.ErrDeadToken) { // another process may have rotated the keys, or made this one: the door finds out
		switch _, err = s.Get(ctx, vault.Request{}); {
		case errors.Is(err, vault.ErrDeadToken):
			return nil, errRecorded
		case err != nil && !errors.Is(err, vault.ErrDenied) && !errors.Is(err, vault.ErrInvalid):
			return nil, fmt.Errorf("mcp: %w", err)
		}
		claims, err = s.Claims(ctx)
	}
	if err != nil {
		return nil, err
	}
	w := who{token: sha256.Sum256([]byte(bearer)), from: from}
	ends := time.Time{}
	for _, l := range claims {
		if w.grant == "" && !strings.HasPrefix(l.ID, "key:") {
			w.grant = l.ID
		}
		if ends.IsZero() || !l.Expires.IsZero() && l.Expires.Before(ends) {
			ends = l.Expires
		}
	}
	o, err := h.known.get(w, func() (*one, error) {
		a, err := agent.New(ctx, s, h.cfg.Options...)
		if err != nil {
			return nil, err
		}
		var tools []*agent.Tool
		for _, kind := range h.cfg.Tools {
			tools = append(tools, a.Tool(kind))
		}
		return &one{server: newServer(a, tools, h.cfg.Log), ends: ends}, nil
	})
	if err != nil {
		return nil, err
	}
	if !o.alive.Load() || !time.Now().Before(o.ends) {
		_, err := s.List(ctx, vault.Request{Path: "*", Reason: "MCP: the first request"})
		switch {
		case errors.Is(err, vault.ErrDeadToken):
			h.known.forget(w)
			return nil, errRecorded
		case err != nil && !errors.Is(err, vault.ErrDenied) && !errors.Is(err, vault.ErrInvalid):
			return nil, fmt.Errorf("mcp: %w", err)
		}
		o.alive.Store(true)
	}
	return &visit{who: w, server: o.server}, nil
}
