// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"log"
	"net/http"
	"net/http/httputil"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/option"
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

// Where the SDK shows what a tool has answered; in its spans only if they are told to carry content.
var (
	shown      = []string{"request to the model", "messages", "debug log"}
	shownSpans = []string{
		"span anthropic.messages.create gen_ai.input.messages",
		"span anthropic.custom_tool_use get_secret_researcher anthropic.tool_result.content",
	}
)

func TestUseMode(t *testing.T) {
	frametest.UseMode(t, withContent, append(shown, shownSpans[0],
		"span anthropic.custom_tool_use http_request_researcher anthropic.tool_result.content", "answer of the model", "answer")...)
}

func TestReadMode(t *testing.T) {
	t.Run("metadata", func(t *testing.T) { frametest.ReadMode(t, plain, shown...) })
	t.Run("content", func(t *testing.T) { frametest.ReadMode(t, withContent, append(shown, shownSpans...)...) })
}

// The runner tells the model of faults.
func TestFaults(t *testing.T) { frametest.Faults(t, withContent, "cancelled") }

func TestOthersTool(t *testing.T) { frametest.OthersTool(t, plain, "not found") }

// plain is a run of the example's runner, with its debug log on, its traffic dumped and its spans exported.
func plain(ctx context.Context, a *agent.Agent, s *script.Script, saw *frametest.Saw) error {
	return watched(ctx, a, s, saw)
}

// withContent has the spans carry content.
func withContent(ctx context.Context, a *agent.Agent, s *script.Script, saw *frametest.Saw) error {
	return watched(ctx, a, s, saw, option.WithOpenTelemetryTracesContentMode(option.OpenTelemetryContentModeContent))
}

func watched(ctx context.Context, a *agent.Agent, s *script.Script, saw *frametest.Saw, opts ...option.RequestOption) error {
	var debug bytes.Buffer
	spans := tracetest.NewInMemoryExporter()
	runner, err := newRunner(a, append(opts,
		option.WithHTTPClient(&http.Client{Transport: wire{scripted{s}, saw}}), option.WithDebugLog(log.New(&debug, "", 0)),
		option.WithTracerProvider(trace.NewTracerProvider(trace.WithSyncer(spans))))...)
	if err != nil {
		return err
	}
	answer, err := runner.RunToCompletion(ctx)
	saw.Text("answer", answer)
	saw.Text("messages", runner.Messages())
	saw.Text("debug log", debug.Bytes())
	for _, span := range spans.GetSpans() {
		for _, kv := range span.Attributes {
			saw.Text("span "+span.Name+" "+string(kv.Key), kv.Value.String())
		}
		span.Attributes = nil
		saw.Text("span "+span.Name, span) // all the rest: events, status, links
	}
	return err
}

// wire notes what goes to a model and comes from it.
type wire struct {
	model http.RoundTripper
	saw   *frametest.Saw
}

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	dump, err := httputil.DumpRequest(r, true)
	if err != nil {
		return nil, err
	}
	w.saw.Text("request to the model", dump)
	resp, err := w.model.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if dump, err = httputil.DumpResponse(resp, true); err != nil {
		return nil, err
	}
	w.saw.Text("answer of the model", dump)
	return resp, nil
}
