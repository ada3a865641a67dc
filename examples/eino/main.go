// SPDX-License-Identifier: Apache-2.0

// Eino: three agents of github.com/cloudwego/eino, each with the tools of its own token.
//
//	go run ./examples/eino
//
// The adapter is in tool.go, a few lines. Each of researcher, writer and critic does its work with a key that its model never
// sees, then tries the keys of the other two, and is refused. There is no model in it and no network: a script stands for the
// one, a server on this machine for the other.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/compose"
	"github.com/cloudwego/eino/flow/agent/react"
	"github.com/cloudwego/eino/schema"

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
		worker, err := newAgent(ctx, a, &scripted{t.Script(m, out)})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "The %s's model calls:\n", m.Name)
		answer, err := worker.Generate(ctx, []*schema.Message{schema.UserMessage("Write a blog post.")})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %q\n", answer.Content)
	}
	return t.Log(ctx, out)
}

// newAgent makes an agent of eino. Each has a tools node of its own: whoever may call a tool acts as the agent of that tool.
func newAgent(ctx context.Context, a *agent.Agent, chat model.ToolCallingChatModel) (*react.Agent, error) {
	return react.NewAgent(ctx, &react.AgentConfig{
		ToolCallingModel: chat,
		MaxStep:          20,
		ToolsConfig: compose.ToolsNodeConfig{
			Tools: toolsOf(a),
			UnknownToolsHandler: func(context.Context, string, string) (string, error) { // without it the run ends there
				return "There is no such tool.", nil
			},
		},
	})
}
