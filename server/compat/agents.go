// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

// keyLife is that of an agent key: the clients cannot say one.
const keyLife = 365 * 24 * time.Hour

// agent is an agent key in an answer.
type agent struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Description  string   `json:"description"`
	APIKey       string   `json:"api_key,omitempty"`
	APIKeyPrefix string   `json:"api_key_prefix"`
	Namespaces   []string `json:"allowed_namespaces"`
	Scopes       []string `json:"allowed_scopes"`
	Active       bool     `json:"active"`
	CreatedAt    *string  `json:"created_at"`     // null: the vault does not list it
	LastActiveAt *string  `json:"last_active_at"` // null: the log knows
	ExpiresAt    string   `json:"expires_at"`
}

// agentOf is a key; its id is without the "key:" that it has in the vault, since the clients put it into a URL.
func agentOf(k vault.Key) agent {
	a := agent{
		ID: strings.TrimPrefix(k.ID, "key:"), Name: k.Name, Description: k.Limits.Description, APIKeyPrefix: "kw_agent_",
		Namespaces: []string{}, Scopes: strings.Fields(k.Limits.Scopes.String()),
		Active: alive(k), ExpiresAt: stamp(k.Expires),
	}
	seen := map[string]bool{}
	for _, p := range patterns(k.Limits.Scopes) {
		if ns := strings.TrimSuffix(p, "/*"); !seen[ns] {
			seen[ns] = true
			a.Namespaces = append(a.Namespaces, ns)
		}
	}
	return a
}

func alive(k vault.Key) bool { return !k.Revoked && time.Now().Before(k.Expires) }

func (q *request) agentKeys() (all []vault.Key, err error) {
	keys, err := q.by.Operator.Keys(q.Context())
	for _, k := range keys {
		if !k.Operator {
			all = append(all, k)
		}
	}
	return all, err
}

func (q *request) agents() (any, error) {
	keys, err := q.agentKeys()
	if err != nil {
		return nil, err
	}
	var out struct {
		Items []agent `json:"items"`
		Total int     `json:"total"`
	}
	out.Items, out.Total = []agent{}, len(keys)
	for _, k := range keys {
		out.Items = append(out.Items, agentOf(k))
	}
	return out, nil
}

func (q *request) createAgent() (any, error) {
	var in struct {
		Name        string   `json:"name"`
		Description string   `json:"description"`
		Namespaces  []string `json:"allowed_namespaces"`
		Scopes      []string `json:"allowed_scopes"`
	}
	if err := q.body(&in); err != nil {
		return nil, err
	}
	set, err := limits(in.Namespaces, in.Scopes)
	if err != nil {
		return nil, err
	}
	k := vault.Key{Name: in.Name, Limits: vault.Grant{Agent: in.Name, Description: in.Description, Scopes: set}, Expires: time.Now().Add(keyLife).Truncate(time.Second)}
	id, tok, err := q.by.Operator.NewKey(q.Context(), k, "")
	if err != nil {
		return nil, err
	}
	k.ID, q.reply = id, http.StatusCreated
	out := agentOf(k)
	out.APIKey = tok.Reveal()
	return out, nil
}

// revokeAgent ends a key, by its id or, where one key alone is alive under it, its name.
func (q *request) revokeAgent() (any, error) {
	what := q.rest[0]
	keys, err := q.agentKeys()
	if err != nil {
		return nil, err
	}
	var found []vault.Key
	for _, k := range keys {
		if k.ID == "key:"+what {
			found = []vault.Key{k}
			break
		}
		if k.Name == what && alive(k) {
			found = append(found, k)
		}
	}
	switch len(found) {
	case 0:
		return nil, nothing("there is no agent of this id, and none alive of this name")
	case 1:
		return nil, q.by.Operator.Revoke(q.Context(), found[0].ID, "")
	}
	return nil, &front.Refusal{Status: http.StatusConflict, Code: "conflict", Message: fmt.Sprintf("%d agents have this name: say the id", len(found))}
}
