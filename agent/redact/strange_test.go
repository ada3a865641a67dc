// SPDX-License-Identifier: Apache-2.0

package redact_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/agent/redact"
)

type pointerError struct{ text string }

func (e *pointerError) Error() string { return e.text }

type verboseError struct{}

func (verboseError) Error() string { return "clean" }
func (verboseError) Format(s fmt.State, _ rune) {
	if s.Flag('+') {
		io.WriteString(s, plain)
	} else {
		io.WriteString(s, "clean")
	}
}

type terseError struct{} // shows more without the +

func (terseError) Error() string { return plain }
func (terseError) Format(s fmt.State, _ rune) {
	if s.Flag('+') {
		io.WriteString(s, "clean")
	} else {
		io.WriteString(s, plain)
	}
}

type panicking struct{ Key string }

func (panicking) MarshalJSON() ([]byte, error) { panic(plain) }

type panickingError struct{}

func (panickingError) Error() string { panic(plain) }

type ownText struct{}

func (ownText) MarshalText() ([]byte, error) { return []byte(plain), nil }
func (ownText) MarshalJSON() ([]byte, error) { return []byte(`"clean"`), nil }

// What prints in a strange way takes neither the program down, nor a value past the mask.
func TestStrangeAttributes(t *testing.T) {
	for name, v := range map[string]any{
		"nil pointer that is an error": (*pointerError)(nil), "error that says more with %+v": verboseError{},
		"error that says less with %+v": terseError{},
		"JSON that panics":              panicking{plain}, "error that panics": panickingError{}, "text that is not the JSON": ownText{},
		"list of errors": []error{&pointerError{plain}}, "map of anything": map[any]any{1: plain}, "header": http.Header{"A": {plain}},
		"struct that has no JSON": struct {
			F func()
			P string
		}{nil, plain},
	} {
		r := of(t, plain)
		var out bytes.Buffer
		slog.New(r.Handler(slog.NewTextHandler(&out, nil))).Info("text", "v", v)
		slog.New(r.Handler(slog.NewJSONHandler(&out, nil))).Info("json", "v", v)
		fmt.Fprintf(&out, "%v %+v", r.Any(v), r.Any(v))
		if text := out.String(); strings.Contains(text, plain) || strings.Count(text, "\n") != 2 {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// A value that is part of Mask itself does not make names grow.
func TestHeaderNames(t *testing.T) {
	h, want := http.Header{}, http.Header{}
	for i := range 50 {
		h[fmt.Sprintf("X-redacted-%d", i)] = []string{"1"}
		want[fmt.Sprintf("X-%s-%d", redact.Mask, i)] = []string{"1"}
	}
	of(t, "redacted").Header(h)
	if fmt.Sprint(h) != fmt.Sprint(want) {
		t.Errorf("%v", h)
	}
}

func TestResponseController(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		m := of(t, plain).ResponseWriter(w)
		defer m.Close()
		c := http.NewResponseController(m)
		if err := c.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Error(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Error(err)
		}
		if _, _, err := c.Hijack(); err == nil {
			t.Error("a connection was handed out that is not masked")
		}
		if req.URL.Path == "/untyped" {
			m.Header()["Content-Type"] = nil // as net/http has it: do not say one
		} else {
			m.Header().Set("Content-Encoding", "x-own")
		}
		io.WriteString(m, "<html>")
	}))
	defer s.Close()
	for _, path := range []string{"/untyped", "/encoded"} {
		resp, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got, ok := resp.Header["Content-Type"]; ok {
			t.Errorf("%s: type %q", path, got)
		}
	}
}
