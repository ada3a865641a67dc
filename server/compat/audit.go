// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/internal/front"
)

// Events of a page: as many as the CLI asks for if it says nothing, and at most.
const (
	pageLen    = 25
	maxPageLen = 100
)

// event is a record in an answer. Event and Timestamp are the documentation's names, the others what the CLI reads.
type event struct {
	ID           string   `json:"id"`
	EventType    string   `json:"event_type"`
	Event        string   `json:"event"`
	ActorID      string   `json:"actor_id"`
	ActorType    string   `json:"actor_type"` // agent, user (an operator) or unknown
	ResourceType string   `json:"resource_type"`
	ResourceID   *string  `json:"resource_id"`
	Metadata     evidence `json:"metadata"`
	IPAddress    *string  `json:"ip_address"`
	CreatedAt    string   `json:"created_at"`
	Timestamp    string   `json:"timestamp"`
}

// evidence is the rest of a record, under its names in the log.
type evidence struct {
	Outcome  string            `json:"outcome"`
	Cause    string            `json:"cause,omitempty"`
	Token    string            `json:"token,omitempty"`
	Run      string            `json:"run,omitempty"`
	User     string            `json:"user,omitempty"`
	Tenant   string            `json:"tenant,omitempty"`
	Version  int               `json:"version,omitzero"`
	Method   string            `json:"method,omitempty"`
	Host     string            `json:"host,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Call     string            `json:"call,omitempty"`
	Count    int               `json:"count,omitzero"`
	Detail   jsontext.Value    `json:"detail,omitzero"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// names are the vendor's for operations, where it has one, and ours where it has none.
var names = map[string]string{
	"get": "secret.read", "use": "secret.used", "put": "secret.updated", "delete": "secret.deleted", "destroy": "secret.destroyed",
	"list": "secret.listed", "versions": "secret.versions_listed", "policy": "secret.policy_updated", "whose": "secret.sought",
	"issue": "token.issued", "revoke": "token.revoked", "tokens": "token.listed", "key": "agent.created", "keys": "agent.listed",
	"log": "audit.read", "freeze": "freeze.created", "thaw": "freeze.deleted", "freezes": "freeze.listed", "denials": "vault.refusals",
}

func eventOf(r audit.Record) event {
	e := event{
		ID: strconv.FormatInt(r.Seq, 10), EventType: cmp.Or(names[r.Op], "vault."+r.Op), ActorType: "unknown", ResourceType: "vault",
		CreatedAt: stamp(r.Time), IPAddress: orNull(r.Addr), ResourceID: orNull(cmp.Or(r.Path, r.Target)),
		Metadata: evidence{
			string(r.Outcome), r.Cause, r.Token, r.Run, r.User, r.Tenant, r.Version, r.Method, r.Host, r.Reason, r.Call, r.Count, nil, r.Metadata,
		},
	}
	if detail := jsontext.Value(r.Detail); detail.IsValid() {
		e.Metadata.Detail = detail
	}
	key, isKey := strings.CutPrefix(r.Target, "key:")
	isKey = isKey && !strings.Contains(key, ".") // else the id of a token that was issued under it
	switch {
	case r.Operator != "":
		e.ActorID, e.ActorType = r.Operator, "user"
	case r.Agent != "":
		e.ActorID, e.ActorType = r.Agent, "agent"
	}
	switch {
	case r.Path != "":
		e.ResourceType = "secret"
	case isKey:
		e.ResourceType, e.ResourceID = "agent", &key
	case r.Target != "":
		e.ResourceType, _, _ = strings.Cut(e.EventType, ".")
	}
	switch granted := r.Outcome == audit.Granted; {
	case r.Op == "put" && granted && r.Version == 1:
		e.EventType = "secret.created"
	case r.Op == "put" && !granted:
		e.EventType = "secret.write"
	case r.Op == "revoke" && isKey:
		e.EventType = "agent.revoked"
	}
	if r.Outcome != audit.Granted {
		e.EventType += "." + string(r.Outcome)
	}
	e.Event, e.Timestamp = e.EventType, e.CreatedAt
	return e
}

type events struct {
	Events []event `json:"events"`
	Total  int     `json:"total"`
	Page   int     `json:"page"`
	Limit  int     `json:"limit"`
}

// audit answers a page of the log, the newest first. That it was read is the newest.
func (q *request) audit() (any, error) {
	out := events{Events: []event{}, Page: 1, Limit: pageLen}
	for name, n := range map[string]*int{"page": &out.Page, "limit": &out.Limit} {
		if text := q.URL.Query().Get(name); text != "" {
			var err error
			if *n, err = strconv.Atoi(text); err != nil || *n < 1 || *n > 1<<30 {
				return nil, front.Malformed("page and limit: numbers from 1")
			}
		}
	}
	if out.Limit > maxPageLen {
		return nil, front.Malformed("limit: at most %d", maxPageLen)
	}
	log, err := q.by.Operator.Log(q.Context(), "")
	if err != nil {
		return nil, err
	}
	var first, last int64 = -1, -1 // of the log: two passes, so that a page needs no memory but its own
	for r, err := range log.Records(q.Context(), audit.Filter{}) {
		if err != nil {
			return nil, err
		}
		if first < 0 {
			first = r.Seq
		}
		last = r.Seq
	}
	out.Total = int(last - first + 1)
	end := last - int64(out.Page-1)*int64(out.Limit)
	begin := max(first, end-int64(out.Limit)+1)
	if end < first {
		return out, nil
	}
	for r, err := range log.Records(q.Context(), audit.Filter{Since: begin}) {
		switch {
		case err != nil:
			return nil, err
		case r.Seq <= end:
			out.Events = append([]event{eventOf(r)}, out.Events...)
		}
	}
	return out, nil
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
