// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/examples/internal/exampletest"
	"github.com/keyward-go/keyward/examples/internal/frametest"
	"github.com/keyward-go/keyward/examples/internal/script"
	"github.com/keyward-go/keyward/examples/internal/team"
)

func TestRun(t *testing.T) {
	exampletest.Check(t, run, "testdata/output.txt", team.Values())
}

// Where genkit shows what a tool has answered: what the caller gets, its debug log, and spans, of the tool, of the model that
// reads the answer, and of what calls the model.
var (
	shown      = []string{"history", "debug log"}
	shownSpans = []string{
		"span get_secret_researcher genkit:output", "span script/model genkit:input", "span script/model genkit:output",
		"span generate genkit:input", "span generate genkit:output",
	}
)

func TestUseMode(t *testing.T) {
	places := append([]string{"span http_request_researcher genkit:output", "span script/model", "debug log", "history"}, shownSpans[1:]...)
	frametest.UseMode(t, plain, places...)
}

func TestReadMode(t *testing.T) {
	t.Run("plain", func(t *testing.T) { frametest.ReadMode(t, plain, append(shown, shownSpans...)...) })
	t.Run("spans masked", func(t *testing.T) { frametest.ReadMode(t, spansMasked, shown...) })
	t.Run("log masked too", func(t *testing.T) { frametest.ReadMode(t, allMasked, "history") })
}

// Genkit checks the types of an input itself. Its errors carry, in their JSON, a stack of genkit's own: they are for the
// program and not for its clients.
func TestFaults(t *testing.T) {
	frametest.Faults(t, plain, "malformed JSON", "wrong type", "cancelled", "closed", "panic")
}

func TestOthersTool(t *testing.T) { frametest.OthersTool(t, plain, "") }

func plain(ctx context.Context, a *agent.Agent, s *script.Script, saw *frametest.Saw) error {
	return watched(ctx, a, s, saw, func(e trace.SpanExporter) trace.SpanExporter { return e }, func(h slog.Handler) slog.Handler { return h })
}

func spansMasked(ctx context.Context, a *agent.Agent, s *script.Script, saw *frametest.Saw) error {
	return watched(ctx, a, s, saw, func(e trace.SpanExporter) trace.SpanExporter { return masked{e, a.Redactor()} },
		func(h slog.Handler) slog.Handler { return h })
}

func allMasked(ctx context.Context, a *agent.Agent, s *script.Script, saw *frametest.Saw) error {
	return watched(ctx, a, s, saw, func(e trace.SpanExporter) trace.SpanExporter { return masked{e, a.Redactor()} }, a.Redactor().Handler)
}

// watched is a run of the example's agent, with all spans exported and the debug log on.
func watched(
	ctx context.Context, a *agent.Agent, s *script.Script, saw *frametest.Saw,
	spans func(trace.SpanExporter) trace.SpanExporter, logs func(slog.Handler) slog.Handler,
) error {
	exported := tracetest.NewInMemoryExporter()
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSyncer(spans(exported))))
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(logs(slog.NewTextHandler(into{saw, "debug log"}, &slog.HandlerOptions{Level: slog.LevelDebug}))))

	answer, err := work(ctx, a, s)
	saw.Text("answer", answer.Text())
	saw.Text("history", answer)
	for _, span := range exported.GetSpans() {
		for _, kv := range span.Attributes {
			saw.Text("span "+span.Name+" "+string(kv.Key), kv.Value.String())
		}
		span.Attributes = nil
		saw.Text("span "+span.Name, span) // all the rest: events, status, links
	}
	return err
}

// into is a writer to one place.
type into struct {
	saw   *frametest.Saw
	place string
}

var _ io.Writer = into{}

func (i into) Write(p []byte) (int, error) {
	i.saw.Text(i.place, p)
	return len(p), nil
}
