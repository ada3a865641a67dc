// SPDX-License-Identifier: Apache-2.0

package mcp

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

const (
	maxGrants = 1024
	maxOfOne  = 16      // of one grant: itself, its narrowings, and the addresses that they come from
	maxHeld   = 2 << 20 // bytes of the messages of one holder
)

// who is the holder of a token, by the grant that it was narrowed from.
type who struct {
	grant string
	front.Holder
}

// served is the agent that a holder acts as, kept so that its rate and the values to mask outlast a request.
type served struct {
	server *sdk.Server
	ends   time.Time
	alive  atomic.Bool  // the vault has said so once
	held   atomic.Int64 // bytes of the messages that are under way
}

// known keeps the agents, those that have called last. A holder can narrow its token to as many as it likes: it pushes out its
// own.
type known struct {
	mu     sync.Mutex
	swept  time.Time
	grants *simplelru.LRU[string, *simplelru.LRU[who, *served]]
}

func newKnown() *known {
	grants, _ := simplelru.NewLRU[string, *simplelru.LRU[who, *served]](maxGrants, nil) // fails for a size below one
	return &known{grants: grants}
}

// get returns the agent of w, or keeps the one that build makes.
func (k *known) get(w who, build func() (*served, error)) (*served, error) {
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
		holders, _ = simplelru.NewLRU[who, *served](maxOfOne, nil)
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

// visit returns the agent that c acts as. At the first request of a token, and when its time is over, the vault is asked whether it
// lives.
func (h *handler) visit(r *http.Request, c front.Caller) (*visit, *front.Refusal) {
	claims, err := c.Session.Claims(r.Context())
	if err != nil {
		return nil, h.Refused(r, c, err)
	}
	grant, _ := claims.Grant()
	w := who{grant.ID, c.Holder}
	o, err := h.known.get(w, func() (*served, error) { return h.newServed(r.Context(), c.Session, claims.Expires()) })
	switch {
	case errors.Is(err, vault.ErrInvalid): // a key, which can only issue, or a token without an agent
		return nil, h.TurnAway(r, c, front.RefusalOf(vault.ErrDeadToken))
	case err != nil:
		return nil, h.Refused(r, c, err)
	}
	if !o.alive.Load() || !time.Now().Before(o.ends) {
		_, err := c.Session.List(r.Context(), vault.Request{Path: "*", Reason: "MCP: the first request", Call: c.ID})
		switch {
		case errors.Is(err, vault.ErrDeadToken):
			h.known.forget(w)
			return nil, h.Refused(r, c, err)
		case err != nil && !errors.Is(err, vault.ErrDenied) && !errors.Is(err, vault.ErrInvalid):
			return nil, h.Refused(r, c, err)
		}
		o.alive.Store(true)
	}
	return &visit{who: w, served: o}, nil
}

func (h *handler) newServed(ctx context.Context, s *vault.Session, ends time.Time) (*served, error) {
	a, err := agent.New(ctx, s, h.cfg.Options...)
	if err != nil {
		return nil, err
	}
	var tools []*agent.Tool
	for _, kind := range h.cfg.Tools {
		tools = append(tools, a.Tool(kind))
	}
	return &served{server: newServer(a, tools, h.Log), ends: ends}, nil
}
