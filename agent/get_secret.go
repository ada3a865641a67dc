// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"encoding/json"

	"github.com/keyward-go/keyward/vault"
)

type getInput struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

func (a *Agent) getSecret() *Tool {
	return &Tool{
		agent: a,
		kind:  "get_secret",
		description: "Reveals the value of a secret that you may read. Where you may only use it this is refused: http_request applies it for you. " +
			"Every call is recorded with your reason. Do not repeat the value in a message. " +
			`Input: {"path": "production/search/api-key", "reason": "why you need it"}.`,
		schema: json.RawMessage(`{"type":"object","properties":{` + pathSchema + `,` + reasonSchema + `},"required":["path"],"additionalProperties":false}`),
		run: func(ctx context.Context, call, input string) (string, error) {
			in, err := parse(input, func(path string) getInput { return getInput{Path: path} })
			if err != nil || a.isValue(in.Path) {
				return "", errMalformed
			}
			item, err := a.session.Get(ctx, vault.Request{Path: in.Path, Reason: a.text(in.Reason), Call: call})
			if err != nil {
				return "", err
			}
			if err := a.redactor.Add(item.Value); err != nil {
				return "", err
			}
			return item.Value.Reveal(), nil
		},
	}
}

const (
	pathSchema = `"path":{"type":"string","minLength":1,"maxLength":512,` +
		`"description":"Path of the secret, for example production/search/api-key"}`
	reasonSchema = `"reason":{"type":"string","maxLength":500,` +
		`"description":"Why it is needed, in a sentence. It is recorded."}`
)
