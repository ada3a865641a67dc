// SPDX-License-Identifier: Apache-2.0

// Genkit: an agent of github.com/firebase/genkit/go, and what is in its spans.
//
//	go run ./examples/genkit
//
// Genkit writes whatever a tool has answered into the attributes of its spans, and a debug log prints it. The researcher's
// model uses a key that it never sees, so there is nothing to write; the filter in spans.go is the second net, for what is
// revealed on purpose. Then the model tries the keys of two others, and is refused. There is no model in it and no network: a
// script stands for the one, a server on this machine for the other.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/firebase/genkit/go/ai"
	"github.com/firebase/genkit/go/genkit"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/examples/internal/script"
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
	spans := tracetest.NewInMemoryExporter() // in place of one that sends them away
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSyncer(masked{spans, a.Redactor()})))

	fmt.Fprintf(out, "The %s's model calls:\n", researcher.Name)
	answer, err := work(ctx, a, t.Script(researcher, out))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  %q\n", answer.Text())

	attributes, withKey := 0, 0
	for _, span := range spans.GetSpans() {
		for _, kv := range span.Attributes {
			attributes++
			for _, key := range team.Values() {
				if strings.Contains(kv.Value.String(), key) {
					withKey++
				}
			}
		}
	}
	fmt.Fprintf(out, "\nOf %d attributes of %d spans, %d show a key.\n", attributes, len(spans.GetSpans()), withKey)
	return t.Log(ctx, out)
}

// work runs an agent of genkit until it is done.
func work(ctx context.Context, a *agent.Agent, s *script.Script) (*ai.ModelResponse, error) {
	g := genkit.Init(ctx)
	tools, err := toolsOf(a)
	if err != nil {
		return nil, err
	}
	return genkit.Generate(ctx, g, ai.WithModel(newModel(g, s)), ai.WithTools(tools...), ai.WithMaxTurns(20), ai.WithPrompt("Write a blog post."))
}
