// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// Logger is an auditor that hands each record to a slog handler: the log beside the program's own, for people and for
// what watches them. It makes
//
//   - the message of the operation, the time of the record's effective time
//   - the level of the outcome: granted Info, denied Warn, failed Error
//   - attributes of the other fields, as Record.LogValue describes them; text is escaped there
//
// Take the handler of a *slog.Logger with its Handler method; WithGroup and WithAttrs of the handler say where the
// attributes go. The handler is called and not a Logger, because a Logger drops the handler's errors. What the handler
// says it is not enabled for is left out, so a handler at Warn sees refusals and failures only. An answer of nil means
// what it means for the handler: that of a buffer has not written yet. Calls may be concurrent.
type Logger struct {
	Handler slog.Handler
}

// Audit hands over the records one by one, also behind one that the handler refuses, and returns the first error: some or
// all of them may be missing. When ctx ends the rest is left out.
func (l Logger) Audit(ctx context.Context, records []Record) error {
	if l.Handler == nil {
		return errors.New("audit logger has no Handler: set one")
	}
	var first error
	for _, r := range records {
		if err := ctx.Err(); err != nil {
			return errors.Join(first, err)
		}
		level := slog.LevelError
		switch r.Outcome {
		case Granted:
			level = slog.LevelInfo
		case Denied:
			level = slog.LevelWarn
		}
		if !l.Handler.Enabled(ctx, level) {
			continue
		}
		entry := slog.NewRecord(r.Time, level, legible(r.Op), 0)
		for _, a := range r.attrs() {
			if a.Key != "op" && a.Key != slog.TimeKey {
				entry.AddAttrs(a)
			}
		}
		if err := l.Handler.Handle(ctx, entry); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// LogValue returns the fields as a group with the names, the order and the omissions of the record line. Text is escaped as
// in the line, but for the quote: no character reaches a handler that a terminal obeys, that a viewer hides or that ends a
// line.
func (r Record) LogValue() slog.Value { return slog.GroupValue(r.attrs()...) }

func (r *Record) attrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 24)
	text := func(key, s string) {
		if s != "" {
			attrs = append(attrs, slog.String(key, legible(s)))
		}
	}
	number := func(key string, n int) {
		if n != 0 {
			attrs = append(attrs, slog.Int(key, n))
		}
	}
	attrs = append(attrs, slog.Int64("seq", r.Seq), slog.Time("time", r.Time), slog.String("outcome", legible(string(r.Outcome))))
	text("cause", r.Cause)
	if len(r.Uses) > 0 {
		attrs = append(attrs, slog.Any("uses", slices.Clone(r.Uses)))
	}
	attrs = append(attrs, slog.String("op", legible(r.Op)))
	text("operator", r.Operator)
	text("agent", r.Agent)
	text("run", r.Run)
	text("user", r.User)
	text("tenant", r.Tenant)
	text("token", r.Token)
	text("target", r.Target)
	text("path", r.Path)
	number("version", r.Version)
	text("source", r.Source)
	text("method", r.Method)
	text("host", r.Host)
	text("addr", r.Addr)
	text("reason", r.Reason)
	text("call", r.Call)
	text("trace", r.Trace)
	number("count", r.Count)
	text("detail", r.Detail)
	if len(r.Metadata) > 0 {
		var pairs []slog.Attr
		for _, k := range slices.Sorted(maps.Keys(r.Metadata)) {
			pair := slog.String(legible(k), legible(r.Metadata[k]))
			if !slices.ContainsFunc(pairs, func(p slog.Attr) bool { return p.Key == pair.Key }) { // alike only if not UTF-8
				pairs = append(pairs, pair)
			}
		}
		attrs = append(attrs, slog.Attr{Key: "metadata", Value: slog.GroupValue(pairs...)})
	}
	return attrs
}

// legible is s as it stands in a record line, but with quotes as they are: a handler writes its own around it. A
// backslash is escaped, so every one in the answer begins an escape, and no two texts look alike.
func legible(s string) string {
	for i := range len(s) {
		if !plain(s[i]) && s[i] != '"' {
			return strings.ReplaceAll(string(appendText(nil, s)), `\u0022`, `"`)
		}
	}
	return s
}
