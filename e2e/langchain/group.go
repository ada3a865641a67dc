// SPDX-License-Identifier: Apache-2.0

// Package langchain runs a LangGraph agent with our tools over MCP, and the SDKs of OpenAI and Anthropic.
package langchain

import (
	"context"
	"embed"
	"errors"

	"github.com/keyward-go/keyward/e2e/internal/kit"
	"github.com/keyward-go/keyward/e2e/python"
)

//go:embed *.py
var files embed.FS

// Group is LangGraph with langchain-mcp-adapters, and the two SDKs.
var Group = kit.Group{
	Name:   "langchain",
	Proves: "LangGraph with checkpoints through MCP; the OpenAI and Anthropic SDKs, streaming, through the gateway",
	Run:    run,
}

var want = map[string]int{
	// Of agent.py, once with a right to use and once with one to read.
	"user use production/openai/api-key granted: the agent thinks":   3,
	"reader use production/openai/api-key granted: the agent thinks": 3,

	"user use production/search/search-key granted: to find papers":   1,
	"user use production/quality/key denied (scope): to check":        1,
	"reader get production/search/search-key granted: to find papers": 1,
	"reader get production/quality/key denied (scope): to check":      1,
	"sdks use production/openai/api-key granted":                      2,
	"sdks use production/anthropic/api-key granted":                   2,
	"sdks use production/search/search-key denied (scope)":            1,
}

func run(ctx context.Context, k *kit.Kit) error {
	venv, err := python.Venv(ctx, "mcp.txt")
	if err != nil {
		return err
	}
	openAI, err1 := k.Set(ctx, kit.OpenAIKey, "")
	anthropic, err2 := k.Set(ctx, kit.AnthropicKey, "header:x-api-key")
	search, err3 := k.Set(ctx, kit.SearchKey, "")
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	for _, r := range []struct {
		main, agent string
		scopes      []string
		script      kit.Script
		reveals     bool
	}{
		{
			"agent.py", "user", []string{"secrets:use:production/openai/*", "secrets:use:production/search/*"},
			agentScript("http_request", k.Upstream.URL+"/search"), false,
		},
		{
			"agent.py", "reader", []string{"secrets:use:production/openai/*", "secrets:read:production/search/*"},
			agentScript("get_secret", ""), true,
		},
		{
			"sdks.py", "sdks", []string{"secrets:use:production/openai/*", "secrets:use:production/anthropic/*"},
			kit.Script{`"gpt-4o"`: repeat("That of OpenAI."), `"claude"`: repeat("That of Anthropic.")}, false,
		},
	} {
		program, err1 := files.ReadFile(r.main)
		token, err2 := k.Token(ctx, r.agent, r.scopes...)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		k.Upstream.Play(r.script)
		w, err := python.Start(ctx, k, venv, kit.Command{
			Name: r.main + " of " + r.agent, Args: []string{r.main}, Files: map[string][]byte{r.main: program}, Other: true,
			Env: []string{"KEYWARD_URL=" + k.URL, "TOKEN=" + token, "LANGSMITH_TRACING=false"},
		})
		if _, err2 := k.Upstream.Played(); err != nil || err2 != nil {
			return errors.Join(err, err2)
		}
		if r.reveals {
			err = errors.Join(k.Hidden(w, token, openAI, anthropic), k.Revealed(w, token, search, "checkpoints.db", "stdout"))
		} else {
			err = k.Hidden(w, token, openAI, anthropic, search)
		}
		if err != nil {
			return err
		}
	}
	return k.Expect(ctx, want)
}

// agentScript has the agent call the tool twice; it has no right to the second path.
func agentScript(tool, url string) kit.Script {
	args := func(path, reason string) map[string]any {
		a := map[string]any{"path": path, "reason": reason}
		if url != "" {
			a["url"] = url
		}
		return a
	}
	return kit.Script{"You are a researcher.": {
		{Tool: tool, Args: args(kit.SearchKey, "to find papers")},
		{Tool: tool, Args: args("production/quality/key", "to check")},
		{Text: "Three papers."},
	}}
}

// repeat is the same answer, whole and streaming.
func repeat(text string) []kit.Turn { return []kit.Turn{{Text: text}, {Text: text}} }
