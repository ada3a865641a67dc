// SPDX-License-Identifier: Apache-2.0

// Package autogen runs a team of AutoGen 0.7 with our tools over MCP.
package autogen

import (
	"context"
	_ "embed"
	"errors"
	"strings"

	"github.com/keyward-go/keyward/e2e/internal/kit"
	"github.com/keyward-go/keyward/e2e/python"
)

//go:embed team.py
var team []byte

// Group is AutoGen 0.7.
var Group = kit.Group{
	Name:   "autogen",
	Proves: "AutoGen 0.7.5: a team of three, a token each, through MCP over HTTP (no key in the worker) and stdio (a key revealed)",
	Run:    run,
}

// script has the three call the tool, each once; the critic has no right to the path.
func script(tool string, args map[string]any) kit.Script {
	args["reason"] = "to cite"
	call := kit.Turn{Tool: tool, Args: args}
	return kit.Script{
		"You are the researcher of a team.": {call, {Text: "I found papers."}},
		"You are the writer of a team.":     {call, {Text: "I wrote about them."}},
		"You are the critic of a team.":     {call, {Text: "I could not look. TERMINATE"}},
	}
}

var want = map[string]int{
	"researcher use production/openai/api-key granted: the researcher thinks": 4, // two a run
	"writer use production/openai/api-key granted: the writer thinks":         4,
	"critic use production/openai/api-key granted: the critic thinks":         4,

	"researcher use production/search/search-key granted: to cite":    1,
	"writer use production/search/search-key granted: to cite":        1,
	"critic use production/search/search-key denied (scope): to cite": 1,
	"researcher get production/search/search-key granted: to cite":    1,
	"writer get production/search/search-key granted: to cite":        1,
	"critic get production/search/search-key denied (scope): to cite": 1,
}

func run(ctx context.Context, k *kit.Kit) error {
	venv, err := python.Venv(ctx, "mcp.txt")
	if err != nil {
		return err
	}
	llmKey, err1 := k.Set(ctx, kit.OpenAIKey, "")
	searchKey, err2 := k.Set(ctx, kit.SearchKey, "")
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for _, r := range []struct {
		transport, action, tool string
		args                    map[string]any
	}{
		{"http", "use", "http_request", map[string]any{"path": kit.SearchKey, "url": k.Upstream.URL + "/search?q=agents"}},
		{"stdio", "read", "get_secret", map[string]any{"path": kit.SearchKey}},
	} {
		env, token := []string{"KEYWARD_URL=" + k.URL, "KEYWARD=" + k.Binary}, ""
		for _, name := range []string{"critic", "writer", "researcher"} {
			folder := "search"
			if name == "critic" {
				folder = "quality"
			}
			token, err = k.Token(ctx, name, "secrets:use:"+kit.OpenAIKey, "secrets:"+r.action+":production/"+folder+"/*")
			if err != nil {
				return err
			}
			env = append(env, strings.ToUpper(name)+"_TOKEN="+token)
		}
		// keyward mcp opens the vault, as the user that the worker runs as.
		inProcess := r.transport == "stdio"
		if inProcess {
			env = append(env, k.Env()...)
		}
		k.Upstream.Play(script(r.tool, r.args))
		w, err := python.Start(ctx, k, venv, kit.Command{
			Name: "team.py " + r.transport, Args: []string{"team.py", r.transport}, Env: env, Other: !inProcess,
			Files: map[string][]byte{"team.py": team},
		})
		seen, err2 := k.Upstream.Played()
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		if inProcess {
			err = errors.Join(k.Hidden(w, token, llmKey), k.Revealed(w, token, searchKey, "stdout", "LLM"))
		} else {
			err = k.Hidden(w, token, llmKey, searchKey)
		}
		if err != nil {
			return err
		}
		if !inProcess && !strings.Contains(seen, kit.Found) {
			return errors.New("the answer of the search did not come to the LLM")
		}
	}
	return k.Expect(ctx, want)
}
