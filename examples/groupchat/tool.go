// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/vault"
)

// ask is what a model gives to its tool: which credential, and what for. It never holds one, and does not say where it
// goes.
type ask struct{ path, reason string }

// tool is what one agent of a framework is given.
type tool func(context.Context, ask) (answer string, err error)

// newTool binds a tool to one agent: whoever calls the tool acts as that agent, and as no other. Give each its own. The
// client applies the credential, goes where the policy of the path says and nowhere else, and masks what comes back.
func newTool(a *agent.Agent, urls map[string]string) tool {
	return func(ctx context.Context, q ask) (answer string, err error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, urls[q.path], http.NoBody)
		if err != nil {
			return "", err
		}
		resp, err := a.Client(q.path, q.reason).Do(req)
		if errors.Is(err, vault.ErrDenied) || errors.Is(err, vault.ErrNotFound) || errors.Is(err, vault.ErrInvalid) {
			return "refused", nil // for the model; why, stands in the log
		}
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return resp.Status + ": " + strings.TrimSpace(string(body)), err
	}
}
