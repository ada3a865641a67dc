// SPDX-License-Identifier: Apache-2.0

// Anthropic: an agent on the tool runner of github.com/anthropics/anthropic-sdk-go.
//
//	go run -C examples/anthropic .
//
// The runner calls the tools itself. It sends the text of an error to the model and ends the process on a panic; a tool of ours
// has fixed texts, and does not panic. The researcher's model does its work with a key that it never sees, then tries the
// keys of two others, and is refused. There is no model in it and no network: scripts and servers on this machine stand for
// both.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

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
	researcher := t.Members[0]
	a, err := t.Hire(ctx, researcher) // op.Issue, then agent.New
	if err != nil {
		return err
	}
	model := option.WithHTTPClient(&http.Client{Transport: scripted{t.Script(researcher, out)}})

	fmt.Fprintf(out, "The %s's model calls:\n", researcher.Name)
	runner, err := newRunner(a, model)
	if err != nil {
		return err
	}
	answer, err := runner.RunToCompletion(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  %q\n", answer.Content[0].Text)
	return t.Log(ctx, out)
}

// newRunner makes a runner whose model has the tools of a.
func newRunner(a *agent.Agent, opts ...option.RequestOption) (*anthropic.BetaToolRunner, error) {
	tools, err := toolsOf(a)
	if err != nil {
		return nil, err
	}
	opts = append(opts, option.WithBaseURL("https://model.invalid"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	client := anthropic.NewClient(opts...)
	return client.Beta.Messages.NewToolRunner(tools, anthropic.BetaToolRunnerParams{
		MaxIterations: 20,
		BetaMessageNewParams: anthropic.BetaMessageNewParams{
			Model: "scripted", MaxTokens: 1024,
			Messages: []anthropic.BetaMessageParam{anthropic.NewBetaUserMessage(anthropic.NewBetaTextBlock("Write a blog post."))},
		},
	}), nil
}
