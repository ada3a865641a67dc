// SPDX-License-Identifier: Apache-2.0

// Package autogenclassic runs the programs of examples/autogen, and the one that they come from as it was published.
package autogenclassic

import (
	"context"
	"embed"
	"errors"
	"os"
	"path/filepath"

	"github.com/keyward-go/keyward/e2e/internal/kit"
	"github.com/keyward-go/keyward/e2e/python"
)

//go:embed seed.py
var files embed.FS

// Group is AutoGen 0.2.
var Group = kit.Group{
	Name:   "autogen-classic",
	Proves: "AutoGen 0.2.40: the published programs run on our vault; the LLM's key stays out of those of examples/autogen",
	Run:    run,
}

func secret(path string) map[string]any { return map[string]any{"path": path} }

// programs are run one after the other. Each is held to its script by the LLM.
var programs = []struct {
	main   string
	script kit.Script
}{
	{"seed.py", kit.Script{"AI research assistant": {
		// Its test for the end fails on a tool call without a text, which is what OpenAI sends as a rule.
		{Text: "First the key.", Tool: "get_secret", Args: secret("production/tavily/api-key")}, {Text: "Three findings. TERMINATE"},
	}}},
	{"single_agent.py", kit.Script{"AI research assistant": {
		{Tool: "get_secret", Args: secret("production/tavily/api-key")},
		{Tool: "get_secret", Args: secret("production/quality/grammarly-key")}, // not in its scope
		{Text: "Three findings. TERMINATE"},
	}}},
	{"audited_tool.py", kit.Script{"You research topics": {
		{Tool: "get_secret", Args: map[string]any{"path": "production/search/tavily-key", "reason": "to find papers"}},
		{Text: "Papers. TERMINATE"},
	}}},
	{"group_chat.py", kit.Script{
		"You are in a role play game": {{Text: "researcher"}, {Text: "researcher"}, {Text: "writer"}, {Text: "writer"}, {Text: "critic"}, {Text: "critic"}},
		"You research topics":         {{Tool: "get_secret_researcher", Args: secret("production/search/tavily-key")}, {Text: "Three papers."}},
		"You write and publish":       {{Tool: "get_secret_writer", Args: secret("production/publishing/wordpress-key")}, {Text: "Posted."}},
		"You review content":          {{Tool: "get_secret_critic", Args: secret("production/quality/grammarly-key")}, {Text: "Good. TERMINATE"}},
	}},
	{"test_published_form.py", nil},
	{"test_client.py", nil},
}

// want is what the log has of them.
var want = map[string]int{
	// seed.py reads its keys with the agent key and with a token of it: all are the pipeline's.
	"pipeline get production/openai/api-key granted": 1,
	"pipeline get production/tavily/api-key granted": 2, // and single_agent.py
	// The LLM is asked through the gateway.
	"pipeline use production/openai/api-key granted":                                           5,
	"pipeline get production/quality/grammarly-key denied (scope)":                             1,
	"pipeline get production/search/tavily-key granted: to find papers, agent_name researcher": 1,
	"pipeline/manager use production/openai/api-key granted":                                   6,
	"pipeline/researcher use production/openai/api-key granted":                                2,
	"pipeline/writer use production/openai/api-key granted":                                    2,
	"pipeline/critic use production/openai/api-key granted":                                    2,
	"pipeline/researcher get production/search/tavily-key granted":                             2, // once in each of the two fixed forms
	"pipeline/writer get production/publishing/wordpress-key granted":                          2,
	"pipeline/critic get production/quality/grammarly-key granted":                             3, // and in the published form
	"pipeline/researcher get production/publishing/wordpress-key denied (scope)":               1,
	"pipeline/researcher get production/quality/grammarly-key denied (scope)":                  1,
	"pipeline/writer get production/search/tavily-key denied (scope)":                          1,
	"pipeline/writer get production/quality/grammarly-key denied (scope)":                      1,
	// In the published form the critic's token stands for all three.
	"pipeline/critic get production/search/tavily-key denied (scope)":        2,
	"pipeline/critic get production/publishing/wordpress-key denied (scope)": 2,
	// test_client.py; what was malformed has no path.
	"pipeline get scratch/a/key granted":                   3,
	"pipeline get scratch/a/key denied (not_found)":        2,
	"pipeline/once get scratch/another/key denied (scope)": 1,
	"pipeline get  denied (invalid)":                       1,
	"pipeline get  denied (not_for_this_credential)":       1,
}

func run(ctx context.Context, k *kit.Kit) error {
	venv, err := python.Venv(ctx, "classic.txt")
	if err != nil {
		return err
	}
	llmKey, err := k.Set(ctx, kit.OpenAIKey, "")
	if err != nil {
		return err
	}
	for _, path := range []string{"production/tavily/api-key", "production/search/tavily-key", "production/publishing/wordpress-key", "production/quality/grammarly-key"} {
		if _, err := k.Set(ctx, path, ""); err != nil {
			return err
		}
	}
	agentKey, err := k.Keyward(ctx, "", "agent", "create", "pipeline", "--scope", "secrets:read:production/*", "--scope", "secrets:*:scratch/*")
	if err != nil {
		return err
	}
	sources, err := sources(filepath.Join(k.Root, "examples", "autogen"))
	if err != nil {
		return err
	}
	for _, p := range programs {
		k.Upstream.Play(p.script)
		w, err := python.Start(ctx, k, venv, kit.Command{
			Name: p.main, Args: []string{p.main}, Files: sources, Other: true,
			// Only seed.py asks the LLM directly.
			Env: []string{"ASS_AGENT_KEY=" + agentKey, "ASS_API_URL=" + k.URL, "OPENAI_BASE_URL=" + k.Upstream.URL + "/v1"},
		})
		if _, err2 := k.Upstream.Played(); err != nil || err2 != nil {
			return errors.Join(err, err2)
		}
		if p.main == "seed.py" {
			err = k.Revealed(w, agentKey, llmKey)
		} else {
			err = k.Hidden(w, agentKey, llmKey)
		}
		if err != nil {
			return err
		}
	}
	return k.Expect(ctx, want)
}

// sources returns the files below dir, and seed.py.
func sources(dir string) (map[string][]byte, error) {
	seed, err := files.ReadFile("seed.py")
	all := map[string][]byte{"seed.py": seed}
	for _, pattern := range []string{"*.py", "*/*.py"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			relative, err := filepath.Rel(dir, name)
			if err != nil {
				return nil, err
			}
			if all[relative], err = os.ReadFile(name); err != nil {
				return nil, err
			}
		}
	}
	return all, err
}
