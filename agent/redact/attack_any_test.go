// SPDX-License-Identifier: Apache-2.0

package redact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"testing"
)

// quiet says nothing to fmt, and all to those who ask it for its text, as log/slog's JSON handler and spans do.
type quiet struct{}

func (quiet) Error() string              { return "cannot use " + plain }
func (quiet) Format(s fmt.State, _ rune) { io.WriteString(s, "quiet") }

type quietStringer struct{}

func (quietStringer) String() string             { return plain }
func (quietStringer) Format(s fmt.State, _ rune) { io.WriteString(s, "quiet") }

type named string
type bytesOf []byte

type lateValuer struct{}

func (lateValuer) LogValue() slog.Value { return slog.AnyValue(quiet{}) }

type panics struct{}

func (panics) LogValue() slog.Value { panic(plain) }

func TestQuietAttributes(t *testing.T) {
	r := of(t, plain)
	u := &url.URL{Scheme: "https", User: url.UserPassword("u", plain), Host: "h"}
	s := plain
	for name, v := range map[string]any{
		"error": quiet{}, "stringer": quietStringer{}, "valuer": lateValuer{}, "panicking valuer": panics{}, "named": named(plain), "bytes": bytesOf(plain),
		"url": u, "pointer": &s, "joined": errors.Join(quiet{}, errors.New("x")), "wrapped": fmt.Errorf("w: %w", quiet{}), "slice of named": []named{named(plain)},
		"url.Error": &url.Error{Op: "Get", URL: plain, Err: quiet{}}, "attrs": []slog.Attr{slog.String("k", plain)}, "attr": slog.String("k", plain),
		"values": url.Values{"k": {plain}}, "nested": map[string]any{"a": []any{[]any{quiet{}}}}, "struct": struct{ E error }{quiet{}},
		"array": [1]string{plain}, "ptr ptr": func() any { p := &s; return &p }(),
		"map of bytes": map[string][]byte{"k": []byte(plain)}, "struct of map": struct{ M map[string]*string }{map[string]*string{"k": &s}},
	} {
		var out bytes.Buffer
		slog.New(r.Handler(slog.NewJSONHandler(&out, nil))).InfoContext(context.Background(), "json", "v", v)
		slog.New(r.Handler(slog.NewTextHandler(&out, nil))).Info("text", "v", v)
		if err, ok := r.Any(v).(error); ok {
			out.WriteString(err.Error())
		}
		if strings.Contains(out.String(), plain) || strings.Contains(out.String(), "116 118 108") {
			t.Errorf("%s: %.500s", name, out.String())
		}
	}
}
