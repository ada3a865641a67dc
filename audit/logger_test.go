// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/keyward-go/keyward/audit"
)

// handler keeps what it is given, and refuses records with a number below failBelow.
type handler struct {
	level     slog.Level
	failBelow int64
	got       []slog.Record
}

var errHandler = errors.New("the handler's disk is full")

func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }
func (h *handler) WithAttrs([]slog.Attr) slog.Handler           { return h }
func (h *handler) WithGroup(string) slog.Handler                { return h }
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	h.got = append(h.got, r)
	var seq int64
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "seq" {
			seq = a.Value.Int64()
		}
		return true
	})
	if seq < h.failBelow {
		return errHandler
	}
	return nil
}

func TestLoggerLevels(t *testing.T) {
	for _, c := range []struct {
		outcome audit.Outcome
		level   slog.Level
	}{{audit.Granted, slog.LevelInfo}, {audit.Denied, slog.LevelWarn}, {audit.Failed, slog.LevelError}, {"", slog.LevelError}, {"new", slog.LevelError}} {
		h := &handler{}
		r := record(7)
		r.Outcome = c.outcome
		if err := (audit.Logger{Handler: h}).Audit(t.Context(), []audit.Record{r}); err != nil || len(h.got) != 1 {
			t.Fatalf("%q: %d entries, %v", c.outcome, len(h.got), err)
		}
		if e := h.got[0]; e.Level != c.level || e.Message != r.Op || !e.Time.Equal(r.Time) {
			t.Errorf("%q: %v %q at %v", c.outcome, e.Level, e.Message, e.Time)
		}
	}
}

// The handler's error is the answer, and takes nothing from the records behind it.
func TestLoggerReportsItsHandler(t *testing.T) {
	h := &handler{failBelow: 2}
	if err := (audit.Logger{Handler: h}).Audit(t.Context(), batch(0, 5)); !errors.Is(err, errHandler) || len(h.got) != 5 {
		t.Errorf("%d entries, %v", len(h.got), err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	h = &handler{}
	if err := (audit.Logger{Handler: h}).Audit(ended, batch(0, 5)); !errors.Is(err, context.Canceled) || len(h.got) != 0 {
		t.Errorf("ended: %d entries, %v", len(h.got), err)
	}
	if err := (audit.Logger{}).Audit(t.Context(), batch(0, 1)); err == nil {
		t.Error("no handler and no error")
	}
	h = &handler{level: slog.LevelWarn}
	refused := record(1)
	refused.Outcome = audit.Denied
	if err := (audit.Logger{Handler: h}).Audit(t.Context(), []audit.Record{record(0), refused}); err != nil || len(h.got) != 1 {
		t.Errorf("level: %d entries, %v", len(h.got), err)
	}
}

// full is a record with every field set, to a text of its own.
func full(t *testing.T) audit.Record {
	r := audit.Record{Seq: 7, Time: time.Date(2026, 11, 20, 9, 30, 0, 1, time.UTC), Outcome: audit.Denied, Uses: []int{1, 0}, Metadata: map[string]string{"k": "v"}}
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case !f.IsZero():
		case f.Kind() == reflect.String:
			f.SetString("of " + v.Type().Field(i).Name)
		case f.Kind() == reflect.Int:
			f.SetInt(int64(i + 1))
		default:
			t.Fatalf("a field of a new kind: %s", v.Type().Field(i).Name)
		}
	}
	return r
}

// Names, order, values and omissions are those of the record line.
func TestLogValueIsTheLine(t *testing.T) {
	for _, r := range []audit.Record{full(t), record(3), {Outcome: audit.Granted}, {Metadata: map[string]string{"a\xff": "1", "a\xfe": "2", "b": "3"}}} {
		var keys []string
		fields := map[string]any{}
		for _, a := range r.LogValue().Group() {
			keys = append(keys, a.Key)
			switch v := a.Value; v.Kind() {
			case slog.KindTime:
				fields[a.Key] = v.Time().Format("2006-01-02T15:04:05.000000000Z")
			case slog.KindGroup:
				m := map[string]any{}
				for _, p := range v.Group() {
					m[p.Key] = p.Value.String()
				}
				fields[a.Key] = m
			default:
				fields[a.Key] = v.Any()
			}
		}
		got, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		line := r.String()
		if !sameJSON(t, got, []byte(line)) {
			t.Errorf("attributes %s\nof the line  %s", got, line)
		}
		at := -1
		for _, k := range keys {
			next := strings.Index(line, `"`+k+`":`)
			if next < at {
				t.Errorf("%s is not where the line has it: %q", k, keys)
			}
			at = next
		}
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

// Text that tries to be a line of its own, a colour, or invisible stays one quoted value of one line in every handler.
func TestLoggerWithHostileText(t *testing.T) {
	for _, hostile := range []string{
		"a\nlevel=INFO msg=get outcome=granted", "a\r\nb", "a\u2028b\u2029c", "a\x85b", "\x1b[2Jgone", "\x9b2J", "\u009b2J", "tab\there",
		"x\u202ekcab", "\u2066x", "zero\u200bwidth", "\ufeffmark", "nul\x00", "del\x7f", "bad\xff\xfe", `quote" msg="get`, `back\slash`, `a" }{"msg":"get`,
	} {
		r := full(t)
		v := reflect.ValueOf(&r).Elem()
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.String && v.Type().Field(i).Name != "Outcome" {
				f.SetString(hostile)
			}
		}
		r.Metadata = map[string]string{hostile: hostile}
		for name, h := range map[string]func(*bytes.Buffer) slog.Handler{
			"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
			"raw":  func(b *bytes.Buffer) slog.Handler { return raw{b} },
		} {
			var out bytes.Buffer
			if err := (audit.Logger{Handler: h(&out)}).Audit(t.Context(), []audit.Record{r}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			line, ok := strings.CutSuffix(out.String(), "\n")
			if !ok || strings.ContainsFunc(line, func(c rune) bool {
				return unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || c == '\u2028' || c == '\u2029'
			}) {
				t.Errorf("%s of %q:\n%q", name, hostile, line)
			}
			var object map[string]any
			if name == "json" && (json.Unmarshal([]byte(line), &object) != nil || object["outcome"] != "denied") {
				t.Errorf("not one object: %s", line)
			}
			if name == "text" {
				if keys := textKeys(line); !slices.Equal(keys[:5], []string{"time", "level", "msg", "seq", "outcome"}) || len(keys) != 26 {
					t.Errorf("%q made other fields, %q: %s", hostile, keys, line)
				}
			}
		}
	}
}

// textKeys reads the keys of a line of slog's text handler.
func textKeys(line string) (keys []string) {
	for rest := line; rest != ""; rest = strings.TrimPrefix(rest, " ") {
		for _, end := range []string{"=", " "} {
			part, err := strconv.QuotedPrefix(rest)
			if err != nil {
				part, _, _ = strings.Cut(rest, end)
			}
			if end == "=" {
				keys = append(keys, part)
			}
			rest = strings.TrimPrefix(rest[len(part):], "=")
		}
	}
	return keys
}

// raw is a handler that quotes nothing.
type raw struct{ w *bytes.Buffer }

func (h raw) Enabled(context.Context, slog.Level) bool { return true }
func (h raw) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h raw) WithGroup(string) slog.Handler            { return h }
func (h raw) Handle(_ context.Context, r slog.Record) error {
	h.w.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool { h.w.WriteString(" " + a.String()); return true })
	h.w.WriteByte('\n')
	return nil
}

// No two texts look alike, and what is plain stays as it is.
func TestLoggerEscapesOneToOne(t *testing.T) {
	texts := []string{`a"b`, `a\u0022b`, `a\u005cb`, `a\b`, "a\x1bb", `a\u001bb`, "a\nb", `a\nb`, `{"scopes":["secrets:use:a/*"],"ttl":60}`, "größe 東京"}
	seen := map[string]string{}
	for _, s := range texts {
		group := audit.Record{Detail: s}.LogValue().Group()
		got := group[slices.IndexFunc(group, func(a slog.Attr) bool { return a.Key == "detail" })].Value.String()
		if other, twice := seen[got]; twice {
			t.Errorf("%q and %q are both %q", s, other, got)
		}
		seen[got] = s
		if !strings.ContainsAny(s, "\\\x1b\n") && got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}
