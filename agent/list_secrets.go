// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"encoding/json"

	"github.com/keyward-go/keyward/vault"
)

// maxListed bounds what is told to a model at once.
const maxListed = 200

type listInput struct {
	Pattern string `json:"pattern"`
	Reason  string `json:"reason"`
}

type listed struct {
	Path  string   `json:"path"`
	Type  string   `json:"type,omitempty"`
	Hosts []string `json:"hosts,omitempty"` // where http_request may take it
}

func (a *Agent) listSecrets() *Tool {
	return &Tool{
		agent: a,
		kind:  "list_secrets",
		description: "Lists the paths of the secrets that you may ask for, and the hosts where each may be used; never a value. " +
			`Input: {"pattern": "production/*", "reason": "why"}; without a pattern it lists all.`,
		schema: json.RawMessage(`{"type":"object","properties":{"pattern":{"type":"string","maxLength":512,` +
			`"description":"A path, or a path that ends in /*. Leave it out for all."},` + reasonSchema + `},"additionalProperties":false}`),
		run: func(ctx context.Context, call, input string) (string, error) {
			in, err := parse(input, func(pattern string) listInput { return listInput{Pattern: pattern} })
			if err != nil || a.isValue(in.Pattern) {
				return "", errMalformed
			}
			if in.Pattern == "" {
				in.Pattern = "*"
			}
			items, err := a.session.List(ctx, vault.Request{Path: in.Pattern, Reason: a.text(in.Reason), Call: call})
			if err != nil {
				return "", err
			}
			var out struct {
				Secrets []listed `json:"secrets"`
				More    int      `json:"more,omitempty"` // so many are left out: list a narrower pattern
			}
			out.Secrets = []listed{}
			for _, it := range items[:min(len(items), maxListed)] {
				out.Secrets = append(out.Secrets, listed{it.Path, it.Policy.Type, it.Policy.Hosts})
			}
			out.More = len(items) - len(out.Secrets)
			text, err := json.Marshal(out)
			return string(text), err
		},
	}
}
