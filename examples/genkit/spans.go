// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/keyward-go/keyward/agent/redact"
)

// masked is an exporter of spans that masks what the run has touched, before another exporter gets it.
type masked struct {
	trace.SpanExporter
	redactor *redact.Redactor
}

func (m masked) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	out := make([]trace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		out[i] = maskedSpan{s, m.redactor}
	}
	return m.SpanExporter.ExportSpans(ctx, out)
}

type maskedSpan struct {
	trace.ReadOnlySpan
	redactor *redact.Redactor
}

func (s maskedSpan) Name() string                     { return s.redactor.String(s.ReadOnlySpan.Name()) }
func (s maskedSpan) Attributes() []attribute.KeyValue { return s.mask(s.ReadOnlySpan.Attributes()) }

func (s maskedSpan) Events() []trace.Event { // of errors
	out := append([]trace.Event(nil), s.ReadOnlySpan.Events()...)
	for i := range out {
		out[i].Name, out[i].Attributes = s.redactor.String(out[i].Name), s.mask(out[i].Attributes)
	}
	return out
}

func (s maskedSpan) Links() []trace.Link {
	out := append([]trace.Link(nil), s.ReadOnlySpan.Links()...)
	for i := range out {
		out[i].Attributes = s.mask(out[i].Attributes)
	}
	return out
}

func (s maskedSpan) Status() trace.Status {
	status := s.ReadOnlySpan.Status()
	status.Description = s.redactor.String(status.Description)
	return status
}

// mask leaves numbers and booleans as they are; anything that holds a value is text when it comes back, or a list of texts.
func (s maskedSpan) mask(in []attribute.KeyValue) []attribute.KeyValue {
	out := append([]attribute.KeyValue(nil), in...)
	for i, kv := range out {
		switch v := s.redactor.Any(kv.Value.AsInterface()).(type) {
		case string:
			out[i].Value = attribute.StringValue(v)
		case []string:
			out[i].Value = attribute.StringSliceValue(v)
		}
	}
	return out
}
