// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"errors"
	"net/http"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

// me is who asks, as the CLI wants it. A number is null where the bearer may not know it.
type me struct {
	ID      string `json:"id"`
	Email   string `json:"email"`
	Name    string `json:"name"`
	Plan    string `json:"plan"`
	Status  string `json:"subscription_status"`
	Secrets *int   `json:"secret_count"`
	Agents  *int   `json:"agent_count"`
}

func (q *request) me() (any, error) {
	items, err := q.by.Door().List(q.Context(), vault.Request{Path: "*", Call: q.by.ID})
	out := me{Plan: "keyward", Status: "active"}
	switch {
	case err == nil:
		n := len(items)
		out.Secrets = &n
	case errors.Is(err, vault.ErrDeadToken) || !errors.Is(err, vault.ErrDenied) && !errors.Is(err, vault.ErrInvalid):
		return nil, err
	}
	if q.by.IsOp {
		k, agents, err := q.operator()
		if err != nil {
			return nil, err
		}
		out.ID, out.Name, out.Agents = k.ID, k.Name, &agents
	} else {
		claims, err := q.by.Session.Claims(q.Context())
		if err != nil {
			return nil, err
		}
		out.ID, out.Name = claims[len(claims)-1].ID, claims.Agent()
	}
	out.Email = out.Name
	return out, nil
}

// operator is the key of the operator who asks, and how many agents are alive.
func (q *request) operator() (own vault.Key, agents int, err error) {
	keys, err := q.by.Operator.Keys(q.Context())
	if err != nil {
		return own, 0, err
	}
	claims, err := q.by.Operator.Claims(q.Context())
	for _, k := range keys {
		switch {
		case !k.Operator && alive(k):
			agents++
		case len(claims) > 0 && k.ID == claims[0].ID:
			own = k
		}
	}
	return own, agents, err
}

// healthy is for anybody, so it tells nothing of what runs here: version is that of the wire format.
var healthy = struct {
	Status  string `json:"status"`
	Version string `json:"version"`
	Service string `json:"service"`
}{"ok", "1", "keyward"}

// health answers anybody, and asks the vault for nothing that is recorded.
func (h *handler) health(w http.ResponseWriter, r *http.Request) {
	if _, err := h.Caller(r, "").Session.Claims(r.Context()); !errors.Is(err, vault.ErrDenied) {
		write(w, r, &front.Refusal{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "the vault is closed"})
		return
	}
	front.WriteJSON(w, http.StatusOK, healthy)
}
