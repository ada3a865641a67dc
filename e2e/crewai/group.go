// SPDX-License-Identifier: Apache-2.0

// Package crewai runs a crew with our tools over MCP.
package crewai

import (
	"context"
	_ "embed"
	"errors"

	"github.com/keyward-go/keyward/e2e/internal/kit"
	"github.com/keyward-go/keyward/e2e/python"
)

//go:embed crew.py
var crew []byte

// Group is CrewAI.
var Group = kit.Group{
	Name:   "crewai",
	Proves: "CrewAI: a crew of two, a token each, through MCP; the second asks for what the first was given, and is refused",
	Run:    run,
}

var want = map[string]int{
	"researcher use production/openai/api-key granted: the researcher thinks": 2,
	"writer use production/openai/api-key granted: the writer thinks":         2,
	"researcher use production/search/search-key granted: to find papers":     1,
	"writer use production/search/search-key denied (scope): to find papers":  1,
}

func run(ctx context.Context, k *kit.Kit) error {
	venv, err := python.Venv(ctx, "crewai.txt")
	if err != nil {
		return err
	}
	openAI, err1 := k.Set(ctx, kit.OpenAIKey, "")
	search, err2 := k.Set(ctx, kit.SearchKey, "")
	researcher, err3 := k.Token(ctx, "researcher", "secrets:use:production/openai/*", "secrets:use:production/search/*")
	writer, err4 := k.Token(ctx, "writer", "secrets:use:production/openai/*")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	call := kit.Turn{Tool: "http_request", Args: map[string]any{"path": kit.SearchKey, "url": k.Upstream.URL + "/search", "reason": "to find papers"}}
	k.Upstream.Play(kit.Script{
		"You are researcher.": {call, {Text: "Three papers."}},
		"You are writer.":     {call, {Text: "I may not."}},
	})
	w, err := python.Start(ctx, k, venv, kit.Command{
		Name: "crew.py", Args: []string{"crew.py"}, Files: map[string][]byte{"crew.py": crew}, Other: true,
		Env: []string{
			"KEYWARD_URL=" + k.URL, "RESEARCHER_TOKEN=" + researcher, "WRITER_TOKEN=" + writer,
			"CREWAI_DISABLE_TELEMETRY=true", "CREWAI_TRACING_ENABLED=false", "OTEL_SDK_DISABLED=true",
		},
	})
	if _, err2 := k.Upstream.Played(); err != nil || err2 != nil {
		return errors.Join(err, err2)
	}
	return errors.Join(k.Hidden(w, writer, openAI, search), k.Expect(ctx, want))
}
