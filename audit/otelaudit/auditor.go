// SPDX-License-Identifier: Apache-2.0

// Package otelaudit hands the records of a vault to OpenTelemetry as log records. It is a module of its own, so that only
// those who use it depend on OpenTelemetry, and it uses the API alone: which provider, processor and exporter is yours.
//
// A vault record becomes a log record with
//
//	event name  "keyward." and the operation: keyward.get
//	timestamp   the effective time
//	severity    of the outcome: granted INFO, denied WARN, failed ERROR
//	body        the canonical line, a string: with a proof it can be checked against a checkpoint as it is
//	attributes  "keyward." and the field's name, as audit.Record.LogValue has them: seq, outcome and op always, the
//	            others if they are set; seq, version and count are integers, uses a list of them, metadata a map
//	trace       of the field trace, if that is a W3C traceparent or a trace id of 32 hexadecimal digits; else none
//
// Limits of the provider apply: one on the length or number of attributes cuts those, and leaves the body whole.
package otelaudit

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/keyward-go/keyward/audit"
)

// Auditor is a vault.Auditor that emits each record to Logger. Calls may be concurrent.
//
// Emitting has no error: alone, Auditor is one for Config.Observers. For Config.Auditors it needs Flush, and a provider
// whose ForceFlush tells of every record that was lost, which those of the SDK do not by themselves: they report what
// the flush exports, and not what a timer or a full batch has exported before it. The example has an exporter that
// remembers; give that provider a queue of 2,048 or more, and no other work.
type Auditor struct {
	// Logger is required: provider.Logger("the name of your program").
	Logger log.Logger

	// Flush is called after each batch, and its error is the answer: LoggerProvider.ForceFlush. If nil, nothing waits for
	// the records to arrive.
	Flush func(context.Context) error
}

// Audit emits the records and flushes. When ctx ends the rest is left out. Without Flush, nil means that the provider was
// given the records; with it, what nil means for Flush.
func (a *Auditor) Audit(ctx context.Context, records []audit.Record) error {
	if a.Logger == nil {
		return errors.New("otel auditor has no Logger: set one")
	}
	for _, r := range records {
		if err := ctx.Err(); err != nil {
			return err
		}
		a.Logger.Emit(withTrace(ctx, r.Trace), logRecord(r))
	}
	if a.Flush == nil || len(records) == 0 {
		return nil
	}
	return a.Flush(ctx)
}

const prefix = "keyward."

func logRecord(r audit.Record) log.Record {
	var out log.Record
	out.SetTimestamp(r.Time)
	out.SetBody(attribute.StringValue(r.String()))
	switch r.Outcome {
	case audit.Granted:
		out.SetSeverity(log.SeverityInfo)
	case audit.Denied:
		out.SetSeverity(log.SeverityWarn)
	default:
		out.SetSeverity(log.SeverityError)
	}
	out.SetSeverityText(out.Severity().String())
	for _, a := range r.LogValue().Group() {
		switch a.Key {
		case "time": // the timestamp
			continue
		case "op":
			out.SetEventName(prefix + a.Value.String())
		}
		out.AddAttributes(attribute.KeyValue{Key: attribute.Key(prefix + a.Key), Value: value(a.Value)})
	}
	return out
}

func value(v slog.Value) attribute.Value {
	switch v.Kind() {
	case slog.KindInt64:
		return attribute.Int64Value(v.Int64())
	case slog.KindGroup:
		var pairs []attribute.KeyValue
		for _, a := range v.Group() {
			pairs = append(pairs, attribute.KeyValue{Key: attribute.Key(a.Key), Value: value(a.Value)})
		}
		return attribute.MapValue(pairs...)
	}
	if uses, ok := v.Any().([]int); ok {
		return attribute.IntSliceValue(uses)
	}
	return attribute.StringValue(v.String())
}

// withTrace puts the trace context of a record into ctx, in place of any that is there: that would be somebody else's.
func withTrace(ctx context.Context, text string) context.Context {
	ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	if id, err := trace.TraceIDFromHex(strings.ToLower(text)); err == nil {
		return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, Remote: true}))
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": text})
}
