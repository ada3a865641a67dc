// SPDX-License-Identifier: Apache-2.0

package redact_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/agent/redact"
)

type valuer struct{ inner any }

func (v valuer) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("inner", v.inner), slog.String("k", plain))
}

type holder struct {
	Name   string
	hidden string
}

func TestHandler(t *testing.T) {
	for name, make := range map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		var out bytes.Buffer
		l := slog.New(of(t, plain).Handler(make(&out)))
		l.With("with", plain, plain, 1).WithGroup("g-"+plain).Error("got "+plain,
			"string", "x "+plain, "bytes", []byte(plain), "error", fmt.Errorf("wrapped: %w", errors.New(plain)),
			slog.Group("group", slog.String("inner", plain), slog.Group("deeper", slog.Any("list", []string{plain}))),
			"valuer", valuer{valuer{[]any{plain, map[string]any{plain: plain}}}},
			"struct", holder{Name: plain}, "pointer", &holder{Name: plain}, "hidden", holder{hidden: plain},
			"raw", json.RawMessage(`{"a":"`+plain+`"}`), "stringer", place{}, "map", map[string]string{"k": plain},
			"number", 7, "time", time.Unix(0, 0), "nil", nil)
		if text := out.String(); strings.Contains(text, plain) || !strings.Contains(text, "got "+redact.Mask) || !strings.Contains(text, "7") {
			t.Errorf("%s: %s", name, text)
		}
	}
	var out bytes.Buffer
	h := new(redact.Redactor).Handler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	slog.New(h).Info("quiet")
	if out.Len() != 0 || h.Enabled(t.Context(), slog.LevelInfo) {
		t.Errorf("a level that is off was logged: %s", out.String())
	}
}

type place struct{}

func (place) String() string { return "https://example.com/" + plain }

func TestAny(t *testing.T) {
	const m = redact.Mask
	r := of(t, plain)
	clean := &holder{Name: "clean"}
	for _, c := range []struct{ in, want any }{
		{nil, nil}, {7, 7}, {true, true}, {1.5, 1.5}, {time.Second, time.Second},
		{plain, m}, {"clean", "clean"}, {[]byte("x" + plain), []byte("x" + m)}, {json.RawMessage(`"` + plain + `"`), json.RawMessage(`"` + m + `"`)},
		{[]string{"a", plain}, []string{"a", m}}, {map[string]string{plain: plain}, map[string]string{m: m}},
		{[]any{plain, 7}, []any{m, 7}}, {map[string]any{"k": []any{plain}}, map[string]any{"k": []any{m}}},
		{holder{Name: plain}, "{Name:" + m + " hidden:}"}, {clean, clean}, {place{}, "https://example.com/" + m},
		{[]int{1, 2}, []int{1, 2}}, {struct{ B []byte }{[]byte(plain)}, "{B:[116 118"},
	} {
		got := r.Any(c.in)
		if _, isBytes := c.in.(struct{ B []byte }); isBytes { // printed as numbers, but its JSON is base64
			if text, ok := got.(string); !ok || !strings.Contains(text, m) {
				t.Errorf("%+v: %v", c.in, got)
			}
			continue
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%#v: %#v, want %#v", c.in, got, c.want)
		}
	}
	own := errors.New("clean")
	if got := r.Any(own); got != error(own) {
		t.Errorf("a clean error became %v", got)
	}
	if got := r.Any(fmt.Errorf("%w: %s", own, plain)); fmt.Sprint(got) != "clean: "+m {
		t.Errorf("%v", got)
	}
}

func TestHeader(t *testing.T) {
	h := http.Header{"X-Key": {plain, "clean"}, "X-" + plain: {"1"}}
	of(t, plain).Header(h)
	if want := (http.Header{"X-Key": {redact.Mask, "clean"}, "X-" + redact.Mask: {"1"}}); !reflect.DeepEqual(h, want) {
		t.Errorf("%v", h)
	}
	of(t, plain).Header(nil)
}

func TestResponseWriter(t *testing.T) {
	r := of(t, plain)
	flushed := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		m := r.ResponseWriter(w)
		defer m.Close()
		switch req.URL.Path {
		case "/length":
			m.Header().Set("Content-Length", fmt.Sprint(len(plain)))
			m.Header().Set("X-Key", plain)
			m.WriteHeader(http.StatusAccepted)
			io.WriteString(m, plain)
		case "/implicit":
			io.WriteString(m, "<html>"+plain[:9])
			io.WriteString(m, plain[9:])
		case "/stream":
			io.WriteString(m, "event 1\n")
			m.Flush()
			<-flushed
			io.WriteString(m, plain)
			http.NewResponseController(m).Flush()
		case "/trailer":
			m.Flush()
			m.Header().Set(http.TrailerPrefix+"X-Key", plain)
		case "/held":
			io.WriteString(m, plain[:5])
		}
	}))
	defer s.Close()
	for path, want := range map[string]string{
		"/length": redact.Mask, "/implicit": "<html>" + redact.Mask, "/trailer": "", "/held": plain[:5], "/nothing": "",
	} {
		resp, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if text := fmt.Sprint(resp.Header, resp.Trailer); err != nil || string(body) != want || strings.Contains(text, plain) {
			t.Errorf("%s: %q, %s, %v", path, body, text, err)
		}
		switch path {
		case "/length":
			if resp.StatusCode != http.StatusAccepted || resp.Header.Get("X-Key") != redact.Mask {
				t.Errorf("%d, %v", resp.StatusCode, resp.Header)
			}
		case "/implicit":
			if got := resp.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
				t.Errorf("type %q", got)
			}
		case "/trailer":
			if got := resp.Trailer.Get("X-Key"); got != redact.Mask {
				t.Errorf("trailer %q", got)
			}
		}
	}
	resp, err := http.Get(s.URL + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, 8)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "event 1\n" {
		t.Errorf("%q, %v", first, err)
	}
	close(flushed)
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != redact.Mask {
		t.Errorf("%q, %v", rest, err)
	}
}
