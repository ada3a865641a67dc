// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

// ask is what a model gives to its tool: which credential, and what for. It never holds one, and does not say where it
// goes.
type ask struct{ path, reason string }

// tool is what one agent of a framework is given.
type tool func(context.Context, ask) (answer string, err error)

// newTool binds a tool to one agent's session: whoever calls the tool acts as that agent, and as no other. Give each agent
// its own.
func newTool(s *vault.Session, urls map[string]string) tool {
	return func(ctx context.Context, a ask) (answer string, err error) {
		r := vault.Request{Path: a.path, Reason: a.reason, Method: http.MethodPost, URL: urls[a.path]}
		err = s.Use(ctx, r, func(it vault.Item) (err error) {
			answer, err = post(ctx, r.URL, it.Value)
			return err
		})
		if errors.Is(err, vault.ErrDenied) || errors.Is(err, vault.ErrNotFound) || errors.Is(err, vault.ErrInvalid) {
			return "refused", nil // for the model; why, stands in the log
		}
		return answer, err
	}
}

func post(ctx context.Context, url string, key vault.Secret) (answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+key.Reveal())
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	return resp.Status + ": " + strings.TrimSpace(string(body)), err
}

// client follows no redirect, and asks no proxy: the value goes where the vault was told, and nowhere else.
var client = &http.Client{
	Transport:     &http.Transport{},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}
