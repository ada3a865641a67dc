// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// An SDK takes an http.Client, and sets a key that it was made with.
func TestClient(t *testing.T) {
	v := open(t)
	to := upstream(t, v, search, "", func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Values("Authorization"); len(got) != 1 || got[0] != "Bearer "+canary {
			t.Errorf("sent %q", got)
		}
		fmt.Fprintf(w, "%s %s you sent %s", r.Method, r.URL, r.Header.Get("Authorization"))
	})
	a := newAgent(t, v, "researcher", "secrets:use:production/*")
	c := a.Client(search, "look up news")
	req, _ := http.NewRequestWithContext(t.Context(), "POST", to+"/v1?q=go", strings.NewReader("{}"))
	req.Header.Set("Authorization", "Bearer placeholder")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "POST /v1?q=go you sent Bearer [redacted]" {
		t.Errorf("%q, %v", body, err)
	}
	if resp.Request.Header.Get("Authorization") != "Bearer placeholder" || strings.Contains(fmt.Sprintf("%+v %+v %#v %+v", resp, resp.Request, c, a), canary) {
		t.Errorf("the value is in %+v", resp)
	}
	r := last(t, v)
	if r.Op != "use" || r.Outcome != audit.Granted || r.Agent != "researcher" || r.Path != search || r.Method != "POST" || "http://"+r.Host != to || r.Reason != "look up news" {
		t.Errorf("recorded as %+v", r)
	}
	if strings.Contains(fmt.Sprintf("%+v", r), "q=go") {
		t.Errorf("the query is in the record: %+v", r)
	}
}

// What a client is refused it is told by the errors of package vault, and every refusal is recorded.
func TestClientRefusals(t *testing.T) {
	v := open(t)
	op := v.Operator("test")
	ctx := context.Background()
	to := upstream(t, v, search, "", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
			return
		}
		t.Errorf("%s was reached", r.URL)
	})
	policy := vault.Policy{Hosts: []string{"GET " + to + "/v1", "GET " + to + "/away"}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	if err := op.SetPolicy(ctx, search, policy, "a test"); err != nil {
		t.Fatal(err)
	}
	user := newAgent(t, v, "researcher", "secrets:use:production/*")
	for _, c := range []struct {
		name         string
		agent        *agent.Agent
		path         string
		method, to   string
		want         error
		unrecordable bool
	}{
		{"another host", user, search, "GET", "https://evil.example/v1", vault.ErrDenied, false},
		{"another path", user, search, "GET", to + "/v2", vault.ErrDenied, false},
		{"a longer name", user, search, "GET", to + "/v1beta", vault.ErrDenied, false},
		{"another method", user, search, "DELETE", to + "/v1", vault.ErrDenied, false},
		{"https", user, search, "GET", strings.Replace(to, "http", "https", 1) + "/v1", vault.ErrDenied, false},
		{"redirected", user, search, "GET", to + "/away", vault.ErrDenied, false},
		{"a secret without hosts", user, other, "GET", to + "/v1", vault.ErrDenied, false},
		{"no such secret", user, "production/nothing", "GET", to + "/v1", vault.ErrNotFound, false},
		{"out of scope", newAgent(t, v, "writer", "secrets:use:production/publishing/*"), search, "GET", to + "/v1", vault.ErrDenied, false},
		{"may list only", newAgent(t, v, "lister", "secrets:list:*"), search, "GET", to + "/v1", vault.ErrDenied, false},
		{"no path", user, "../x", "GET", to + "/v1", vault.ErrInvalid, true},
	} {
		req, _ := http.NewRequestWithContext(t.Context(), c.method, c.to, nil)
		resp, err := c.agent.Client(c.path, "a test").Do(req)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", c.name, resp, err)
		}
		if r := last(t, v); r.Agent != c.agent.Name() || r.Outcome == audit.Granted || !c.unrecordable && r.Path != c.path {
			t.Errorf("%s: recorded as %+v", c.name, r)
		}
	}
}

// The reason of a client is masked as a model's is: of what the run had touched when it was made.
func TestClientReason(t *testing.T) {
	v := open(t)
	to := upstream(t, v, search, "", func(w http.ResponseWriter, r *http.Request) {})
	a := newAgent(t, v, "researcher", "secrets:use:production/*")
	for _, want := range []string{"with " + canary, "with [redacted]"} {
		resp, err := a.Client(search, "with "+canary).Get(to)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if r := last(t, v); r.Reason != want {
			t.Errorf("recorded as %q, want %q", r.Reason, want)
		}
	}
}

// An answer has a bound, however small it was on the wire.
func TestClientBounds(t *testing.T) {
	v := open(t)
	const bound = 64 << 20
	to := upstream(t, v, search, "", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		for zeros, n := make([]byte, 1<<20), 0; n <= bound; n += len(zeros) {
			z.Write(zeros)
		}
		z.Close()
	})
	resp, err := newAgent(t, v, "researcher", "secrets:use:production/*").Client(search, "a test").Get(to)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); n != bound || err == nil || !strings.Contains(err.Error(), "longer than its limit") {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// A proxy of the developer's has a client's transport: what is streamed comes through event by event.
func TestClientBehindReverseProxy(t *testing.T) {
	v := open(t)
	next := make(chan struct{})
	to := upstream(t, v, search, "header:X-Api-Key", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d %s\n\n", i, r.Header.Get("X-Api-Key"))
			w.(http.Flusher).Flush()
			<-next
		}
	})
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Transport: newAgent(t, v, "researcher", "secrets:use:production/*").Client(search, "a test").Transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
	})
	defer proxy.Close()
	resp, err := proxy.Client().Get(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for i := range 3 {
		if want := fmt.Sprintf("data: %d [redacted]", i); !lines.Scan() || lines.Text() != want {
			t.Errorf("%q, want %q, %v", lines.Text(), want, lines.Err())
		}
		lines.Scan()
		next <- struct{}{}
	}
}

// WithRoots is for clients: without it an upstream of one's own authority is not talked to, and with it over HTTP/2.
func TestClientRoots(t *testing.T) {
	v := open(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto, " ", r.Header.Get("Authorization"))
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of a client that does not trust it
	s.StartTLS()
	defer s.Close()
	policy := vault.Policy{Hosts: []string{s.Listener.Addr().String()}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	if err := v.Operator("test").SetPolicy(t.Context(), search, policy, "a test"); err != nil {
		t.Fatal(err)
	}
	scopes := []string{"secrets:use:production/*"}
	if _, err := withOptions(t, v, "researcher", scopes).Client(search, "a test").Get(s.URL); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an authority that nobody knows: %v", err)
	}
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c := withOptions(t, v, "researcher", scopes, agent.WithRoots(roots)).Client(search, "a test")
	resp, err := c.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "HTTP/2.0 Bearer [redacted]" {
		t.Errorf("%q", body)
	}
	c.CloseIdleConnections()
}
