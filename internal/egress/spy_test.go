// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"log"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/agent/redact"
)

// A hook in the context of the caller would be shown the header that goes out, and what comes before the answer.
func TestTraceSeesNothing(t *testing.T) {
	b := newBed(t)
	url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusEarlyHints)
	})
	trace := &httptrace.ClientTrace{
		GetConn:              func(to string) { t.Errorf("seen: %s", to) },
		GotConn:              func(c httptrace.GotConnInfo) { t.Errorf("seen: %v, which can be read", c.Conn) },
		WroteHeaderField:     func(key string, value []string) { t.Errorf("seen: %s: %q", key, value) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { t.Error("seen: the request is out") },
		Got1xxResponse:       func(code int, h textproto.MIMEHeader) error { t.Errorf("seen: %d %v", code, h); return nil },
		GotFirstResponseByte: func() { t.Error("seen: the answer") },
	}
	req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", url, nil)
	if resp, _, err := do(b.client(), req); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
}

// net/http tells package log what an upstream sends unasked. Behind a handler of the redactor that is masked too, as
// doc.go advises.
func TestUnaskedAnswers(t *testing.T) {
	b := newBed(t)
	lines := make(chan string, 8)
	before, flags, out := slog.Default(), log.Flags(), log.Writer()
	slog.SetDefault(slog.New(b.redactor.Handler(slog.NewTextHandler(lineWriter(lines), nil))))
	defer func() {
		slog.SetDefault(before)
		log.SetOutput(out)
		log.SetFlags(flags)
	}()
	url := b.raw(t, func(v string) string { return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" + v })
	if _, body, err := get(t, b.client(), url); err != nil || body != "hi" {
		t.Fatal(body, err)
	}
	line := <-lines
	for !strings.Contains(line, "Unsolicited") { // of a server of another test, perhaps
		line = <-lines
	}
	clean(t, "the log", line)
	if !strings.Contains(line, redact.Mask) {
		t.Errorf("%q", line)
	}
}

type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}
