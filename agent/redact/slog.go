// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"context"
	"log/slog"
)

// Handler returns a handler that masks messages, keys and values, those inside of groups and behind a LogValuer included,
// and passes them to h. What an attribute of WithAttrs held is masked when WithAttrs is called: add values before.
func (r *Redactor) Handler(h slog.Handler) slog.Handler { return handler{h, r} }

type handler struct {
	next slog.Handler
	r    *Redactor
}

func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h handler) Handle(ctx context.Context, record slog.Record) error {
	masked := slog.NewRecord(record.Time, record.Level, h.r.String(record.Message), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		masked.AddAttrs(h.r.attr(a))
		return true
	})
	return h.next.Handle(ctx, masked)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.next.WithAttrs(h.r.attrs(attrs)), h.r}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.next.WithGroup(h.r.String(name)), h.r}
}

func (r *Redactor) attrs(attrs []slog.Attr) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = r.attr(a)
	}
	return out
}

func (r *Redactor) attr(a slog.Attr) slog.Attr {
	return slog.Attr{Key: r.String(a.Key), Value: r.value(a.Value)}
}

func (r *Redactor) value(v slog.Value) slog.Value {
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindGroup:
		return slog.GroupValue(r.attrs(v.Group())...)
	case slog.KindString:
		return slog.StringValue(r.String(v.String()))
	case slog.KindAny:
		return slog.AnyValue(r.Any(v.Any()))
	}
	return v
}
