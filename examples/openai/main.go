// SPDX-License-Identifier: Apache-2.0

// Openai: an agent on github.com/openai/openai-go/v3, whose own key is in the vault too.
//
//	go run ./examples/openai
//
// The SDK has no loop for tools, so here is one. It is given an HTTP client in place of a key: each turn of the model is a use
// of the model's key, decided and recorded. The researcher's model does its work with a key that it never
// sees, then tries the keys of two others, and is refused. There is no model in it and no network: servers on this machine
// stand for all.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/examples/internal/team"
)

const (
	modelPath = "production/models/openai-key"
	modelKey  = "sk-FAKE-not-a-real-key-0004"
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
	url, err := t.Serve(ctx, modelPath, modelKey, scripted{t.Script(researcher, out)})
	if err != nil {
		return err
	}
	a, err := t.Hire(ctx, researcher) // op.Issue, then agent.New
	if err != nil {
		return err
	}
	// A token of its own, so that the model's tools cannot reach the model's key.
	sdk, err := t.Hire(ctx, team.Member{Name: "openai-sdk", Scope: "secrets:use:" + modelPath})
	if err != nil {
		return err
	}
	client := openai.NewClient( // it wants a key; the client puts the vault's in its place
		option.WithBaseURL(url), option.WithHTTPClient(sdk.Client(modelPath, "a turn of the model")), option.WithAPIKey("in the vault"))

	fmt.Fprintf(out, "The %s's model calls:\n", researcher.Name)
	answer, err := work(ctx, a, client)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  %q\n", answer)
	return t.Log(ctx, out)
}

const maxTurns = 20

// work is the loop of an agent: the model calls tools until it has nothing more to call.
func work(ctx context.Context, a *agent.Agent, client openai.Client, opts ...option.RequestOption) (answer string, err error) {
	defined, byName, err := toolsOf(a)
	if err != nil {
		return "", err
	}
	params := openai.ChatCompletionNewParams{
		Model: "scripted", Tools: defined, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Write a blog post.")},
	}
	for range maxTurns {
		completion, err := client.Chat.Completions.New(ctx, params, opts...)
		if err != nil {
			return "", err
		}
		if len(completion.Choices) == 0 {
			return "", errors.New("the model has said nothing")
		}
		message := completion.Choices[0].Message
		if len(message.ToolCalls) == 0 {
			return message.Content, nil
		}
		params.Messages = append(params.Messages, message.ToParam())
		for _, call := range message.ToolCalls {
			text := "There is no such tool."
			if tool := byName[call.Function.Name]; tool != nil {
				// A refusal is an answer; an error is a fault, and ends the run.
				if text, err = tool.Invoke(ctx, call.ID, call.Function.Arguments); err != nil {
					return "", err
				}
			}
			params.Messages = append(params.Messages, openai.ToolMessage(text, call.ID))
		}
	}
	return "", fmt.Errorf("the model has not ended after %d turns", maxTurns)
}
