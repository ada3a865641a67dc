// SPDX-License-Identifier: Apache-2.0

// Langchaingo: three agents of github.com/tmc/langchaingo, each with the tools of its own token.
//
//	go run ./examples/langchaingo
//
// A tool of package agent is a langchaingo tool as it is: no adapter. Each of researcher, writer and critic does its work with
// a key that its model never sees, then tries the keys of the other two, and is refused. There is no model in it and no
// network: a script stands for the one, a server on this machine for the other.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/tmc/langchaingo/agents"
	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/tools"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/examples/internal/team"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	t, err := team.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	for _, m := range t.Members {
		a, err := t.Hire(ctx, m) // op.Issue, then agent.New
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "The %s's model calls:\n", m.Name)
		answer, err := work(ctx, a, &model{script: t.Script(m, out)})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %q\n", answer)
	}
	return t.Log(ctx, out)
}

// work runs an agent of langchaingo until it is done. Each agent has an executor of its own: whoever may call a tool acts as
// the agent of that tool.
func work(ctx context.Context, a *agent.Agent, llm llms.Model, opts ...agents.Option) (answer string, err error) {
	executor := agents.NewExecutor(agents.NewOpenAIFunctionsAgent(llm, toolsOf(a), opts...), opts...)
	outputs, err := chains.Call(ctx, executor, map[string]any{"input": "Write a blog post."})
	if err != nil {
		return "", err
	}
	answer, _ = outputs["output"].(string)
	return answer, nil
}

func toolsOf(a *agent.Agent) []tools.Tool {
	var out []tools.Tool
	for _, t := range a.Tools() {
		out = append(out, t)
	}
	return out
}
