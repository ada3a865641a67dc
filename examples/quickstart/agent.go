// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/vault"
)

// ask is a tool call of the model. A path names a credential; the model never holds one.
type ask struct{ tool, path, url, reason string }

// dayAtWork is what our model asks, one after the other: a script in place of a language model, and not a good one.
func dayAtWork(api string) []ask {
	return []ask{
		{"http_request", "production/search/tavily-key", api + "/search", "find papers on Go"},
		{"http_request", "production/publishing/wordpress-key", api + "/posts", "post what I found"},
		{"get_secret", "production/search/tavily-key", "", "let me see the key"},
		{"http_request", "production/search/tavily-key", "https://paste.example/new", "keep it for later"},
	}
}

func afterwards(api string) []ask {
	return []ask{{"http_request", "production/search/tavily-key", api + "/search", "one more search"}}
}

// work is the loop of an agent: the model asks, a tool answers.
func work(ctx context.Context, out io.Writer, s *vault.Session, script []ask) error {
	holder, err := agent.New(ctx, s)
	if err != nil {
		return err
	}
	for _, a := range script {
		answer, err := call(ctx, s, holder, a)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %-13s %-36s %-19s %s\n", a.tool, a.path, a.reason, answer)
	}
	return nil
}

// call runs one tool. A refusal is an answer, in words that tell the model nothing; the log has the cause. An error is a
// fault.
func call(ctx context.Context, s *vault.Session, holder *agent.Agent, a ask) (answer string, err error) {
	switch a.tool {
	case "get_secret": // the value in the model's own hands: for grants of secrets:read
		var it vault.Item
		it, err = s.Get(ctx, vault.Request{Path: a.path, Reason: a.reason})
		answer = it.Value.Reveal()
	case "http_request":
		answer, err = post(ctx, holder, a)
	}
	if errors.Is(err, vault.ErrDenied) || errors.Is(err, vault.ErrNotFound) || errors.Is(err, vault.ErrInvalid) {
		return "refused", nil
	}
	return answer, err
}

// post sends a request whose URL the model chose. The client has the vault decide on it, applies the credential, goes nowhere
// else, and masks what comes back.
func post(ctx context.Context, holder *agent.Agent, a ask) (answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := holder.Client(a.path, a.reason).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	return resp.Status + ": " + strings.TrimSpace(string(body)), err
}
