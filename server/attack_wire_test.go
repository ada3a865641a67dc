// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/vault"
)

// serve serves the fronts of b as a process would, and returns the address.
func (b bed) serve(t testing.TB, change func(*server.Config)) string {
	t.Helper()
	cfg := server.Config{Vault: b.Vault, Rate: 1e6, Burst: 1e6}
	if change != nil {
		change(&cfg)
	}
	gateway, err := server.NewGateway(cfg)
	if err != nil {
		t.Fatal(err)
	}
	api, err := server.NewAPI(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := server.Listen(context.Background(), "127.0.0.1:0", server.Listening{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- server.Serve(ctx, l, server.Route(map[string]http.Handler{"/use/": gateway, "/": api}), nil)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// rawUpstream is an upstream that keeps what comes, byte for byte, and answers the first request of a connection with answer.
type rawUpstream struct {
	mu   sync.Mutex
	wg   sync.WaitGroup
	came [][]byte // a connection each
}

func (b bed) rawUpstream(t testing.TB, answer string) *rawUpstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	err = b.op.SetPolicy(context.Background(), path, vault.Policy{Hosts: []string{"http://" + l.Addr().String()}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, "a test")
	if err != nil {
		t.Fatal(err)
	}
	u := new(rawUpstream)
	u.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			u.wg.Go(func() {
				defer c.Close()
				got := new(bytes.Buffer)
				r := bufio.NewReader(io.TeeReader(c, got))
				if req, err := http.ReadRequest(r); err == nil {
					_, _ = io.Copy(io.Discard, req.Body)
					_, _ = io.WriteString(c, strings.ReplaceAll(answer, "$KEY", strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")))
				}
				_, _ = io.Copy(io.Discard, r) // until the gateway closes: what is behind the request
				u.mu.Lock()
				u.came = append(u.came, got.Bytes())
				u.mu.Unlock()
			})
		}
	})
	t.Cleanup(func() { l.Close(); u.wg.Wait() })
	return u
}

func (u *rawUpstream) take() [][]byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	came := u.came
	u.came = nil
	return came
}

// exchange writes raw, and returns the statuses of the answers until the server closes, and all that it said.
func exchange(t *testing.T, addr, raw string) (statuses []int, said string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() { _, _ = io.WriteString(c, raw) }()
	all := new(bytes.Buffer)
	r := bufio.NewReader(io.TeeReader(c, all))
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return statuses, all.String()
		}
		statuses = append(statuses, resp.StatusCode)
		_, _ = io.Copy(io.Discard, resp.Body)
	}
}

// However a request is framed, the gateway and what is behind it read the same requests: one for each that the door let pass.
func TestAttackSmuggling(t *testing.T) {
	b := newBed(t, nil)
	addr := b.serve(t, nil)
	up := b.rawUpstream(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	tok := b.token(t, "secrets:use:production/*")
	const place = "/use/" + path + "/~/v1"
	const tail = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	const inner = "GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n"
	head := func(first string, fields ...string) string {
		return first + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + tok + "\r\n" + strings.Join(append(fields, "", ""), "\r\n")
	}
	post := func(body string, fields ...string) string { return head("POST "+place, fields...) + body }
	for _, c := range []struct {
		name, raw string
		statuses  string // with that of the tail
		sent      int    // -1: one that breaks off
		body      string // of what was sent
	}{
		{"plain", post("hello", "Content-Length: 5"), "200 200", 1, "hello"},
		{"body that is a request", post(inner, "Content-Length: 40"), "200 200", 1, inner},
		{"GET with a body that is a request", head("GET "+place, "Content-Length: 40") + inner, "200 200", 1, inner},
		{"GET with a chunked body", head("GET "+place, "Transfer-Encoding: chunked") + "28\r\n" + inner + "\r\n0\r\n\r\n", "200 200", 1, inner},
		{"TE and CL", post("0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"), "200 200", 1, ""},
		{"CL and TE, CL longer", post("3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked", "Content-Length: 60"), "200 200", 1, "abc"},
		{"two CL", post("hello", "Content-Length: 5", "Content-Length: 6"), "400", 0, ""},
		{"two equal CL", post("hello", "Content-Length: 5", "Content-Length: 5"), "200 200", 1, "hello"},
		{"CL list", post("hello", "Content-Length: 5, 6"), "400", 0, ""},
		{"CL with a sign", post("hello", "Content-Length: +5"), "400", 0, ""},
		{"CL below zero", post("hello", "Content-Length: -1"), "400", 0, ""},
		{"CL in hex", post("hello", "Content-Length: 0x5"), "400", 0, ""},
		{"two TE", post("0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"), "501", 0, ""},
		{"TE list", post("0\r\n\r\n", "Transfer-Encoding: identity, chunked"), "501", 0, ""},
		{"unknown TE", post("0\r\n\r\n", "Transfer-Encoding: xchunked"), "501", 0, ""},
		{"TE and a space", post("0\r\n\r\n", "Transfer-Encoding : chunked"), "400", 0, ""},
		{"TE and a tab before", post("0\r\n\r\n", "Transfer-Encoding:\tchunked"), "200 200", 1, ""},
		{"TE and a vertical tab", post("0\r\n\r\n", "Transfer-Encoding: \vchunked"), "400", 0, ""},
		{"TE underscore", post("hello", "Content-Length: 5", "Transfer_Encoding: chunked"), "200 200", 1, "hello"},
		{"chunk extension", post("5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", "Transfer-Encoding: chunked"), "200 200", 1, "hello"},
		{"trailers", post("5\r\nhello\r\n0\r\nAuthorization: Bearer "+tok+"\r\nX-Api-Key: "+tok+"\r\nX-Other: y\r\n\r\n", "Transfer-Encoding: chunked", "Trailer: Authorization, X-Api-Key, X-Other"), "200 200", 1, "hello"},
		{"trailers that nobody announced", post("5\r\nhello\r\n0\r\nAuthorization: Bearer "+tok+"\r\n\r\n", "Transfer-Encoding: chunked"), "200 200", 1, "hello"},
		{"trailer Content-Length", post("5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n", "Transfer-Encoding: chunked", "Trailer: Content-Length"), "400", 0, ""},
		{"folded field", post("hello", "Content-Length: 5", "X-A: b", " Authorization: evil"), "200 200", 1, "hello"},
		{"folded first field", "POST " + place + " HTTP/1.1\r\n X: y\r\nHost: localhost\r\n\r\n", "400", 0, ""},
		{"Connection names the token's field", post("hello", "Content-Length: 5", "Connection: authorization, x-api-key, content-length, host"), "200 200", 1, "hello"},
		{"Connection names the key's field, twice", post("hello", "Content-Length: 5", "Connection: Authorization", "Connection: Authorization"), "200 200", 1, "hello"},
		{"TE: trailers", post("hello", "Content-Length: 5", "TE: trailers", "Connection: TE"), "200 200", 1, "hello"},
		{"Proxy fields", post("hello", "Content-Length: 5", "Proxy-Connection: keep-alive", "Keep-Alive: timeout=5", "Proxy-Authorization: Basic eDp5"), "200 200", 1, "hello"},
		{"Upgrade", post("", "Connection: Upgrade", "Upgrade: websocket"), "400 200", 0, ""},
		{"Upgrade to h2c", post("", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"), "400 200", 0, ""},
		{"Upgrade to bytes", post("", "Connection: Upgrade", "Upgrade: \xff"), "400 200", 0, ""},
		{"h2 with prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "403", 0, ""},
		{"absolute form", head("GET http://localhost" + place), "200 200", 1, ""},
		{"absolute form to another host", head("GET http://evil.example" + place), "403 200", 0, ""},
		{"absolute form with a user", head("GET http://u:p@localhost" + place), "200 200", 1, ""},
		{"absolute form, other scheme", head("GET ftp://localhost" + place), "200 200", 1, ""},
		{"absolute URI in the rest", head("GET /use/" + path + "/~/http://evil.example/x"), "200 200", 1, ""},
		{"a host in the rest", head("GET /use/" + path + "/~//evil.example/x"), "400 200", 0, ""},
		{"authority form", "CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + tok + "\r\n\r\n", "403 200", 0, ""},
		{"asterisk form", head("OPTIONS *"), "404 200", 0, ""},
		{"two Host", "GET " + place + " HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", "400", 0, ""},
		{"a space in the name", post("", "X Y: z"), "400", 0, ""},
		{"NUL in a value", post("", "X-Y: \x00"), "400", 0, ""},
		{"bare CR in a value", post("", "X-Y: a\rX-Z: b"), "400", 0, ""},
		{"method override", post("", "Content-Length: 0", "X_HTTP_Method-Override: DELETE"), "400 200", 0, ""},
		{"HTTP/1.0 with TE", "POST " + place + " HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer " + tok + "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "200", 1, ""},
		{"CRLF in the query", head("GET " + place + "?a=%0d%0aAuthorization:%20x"), "200 200", 1, ""},
		{"other spellings of the key's field", post("hello", "Content-Length: 5", "AUTHORIZATION_: x", "X_Api_Key: y", "authorization-: z"), "200 200", 1, "hello"},
		{"bare LF", strings.ReplaceAll(post("hello", "Content-Length: 5"), "\r\n", "\n"), "200 200", 1, "hello"},
		{"bare LF in a chunk's line", post("5\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), "400", -1, ""},
		{"chunk size too long", post("10000000000000005\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), "400", -1, ""},
	} {
		statuses, said := exchange(t, addr, c.raw+tail)
		text := ""
		for _, s := range statuses {
			text += " " + http.StatusText(s)
		}
		want := ""
		for s := range strings.FieldsSeq(c.statuses) {
			want += " " + http.StatusText(map[string]int{"200": 200, "400": 400, "403": 403, "404": 404, "501": 501}[s])
		}
		if text != want {
			t.Errorf("%s: answered%s, want%s: %q", c.name, text, want, said)
		}
		came := up.take()
		if c.sent == 1 && len(came) == 0 { // the gateway closes the connection after it has answered
			for len(came) == 0 {
				came = up.take()
			}
		}
		if c.sent < 0 { // it has begun when the body turns out to be none
			continue
		}
		if len(came) != c.sent {
			t.Errorf("%s: %d connections came to the upstream: %q", c.name, len(came), came)
		}
		for _, raw := range came {
			framed(t, c.name, raw, c.body, tok)
		}
	}
}

// framed holds what came to an upstream against what may.
func framed(t *testing.T, name string, raw []byte, body, tok string) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(raw))
	req, err := http.ReadRequest(r)
	if err != nil {
		t.Errorf("%s: %v: %q", name, err, raw)
		return
	}
	got, _ := io.ReadAll(req.Body)
	rest, _ := io.ReadAll(r)
	header, _, _ := strings.Cut(strings.ToLower(string(raw)), "\r\n\r\n")
	if string(got) != body || len(rest) > 0 || len(req.Trailer) > 0 {
		t.Errorf("%s: came with the body %q, %q behind it, trailers %v", name, got, rest, req.Trailer)
	}
	if strings.Contains(string(raw), tok) || strings.Contains(string(raw), "kw_") {
		t.Errorf("%s: the token came along: %q", name, raw)
	}
	if strings.Count(string(raw), canary) != 1 || req.Header.Get("Authorization") != "Bearer "+canary || strings.Count(header, "\r\nauthorization:") != 1 {
		t.Errorf("%s: the key came otherwise: %q", name, raw)
	}
	if strings.Contains(header, "content-length:") && strings.Contains(header, "transfer-encoding:") || strings.Count(header, "\r\nhost:") != 1 {
		t.Errorf("%s: framed twice: %q", name, raw)
	}
	header = strings.Replace(header, "\r\nconnection: close", "", 1) // which is the engine's own
	for _, hop := range []string{"te", "trailer", "upgrade", "connection", "keep-alive", "proxy-connection", "proxy-authorization", "http2-settings", "x-forwarded-for", "via", "keyward-reason"} {
		if strings.Contains(header, "\r\n"+hop+":") {
			t.Errorf("%s: %s came along: %q", name, hop, raw)
		}
	}
}

// brokenUpstream answers and closes at once.
func (b bed) brokenUpstream(t testing.TB, answer string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	err = b.op.SetPolicy(context.Background(), path, vault.Policy{Hosts: []string{"http://" + l.Addr().String()}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, "a test")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, strings.ReplaceAll(answer, "$KEY", strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")))
		}
	}()
}

// An upstream that answers before it has read the body does not make of the rest of it a request.
func TestAttackEarlyAnswers(t *testing.T) {
	b := newBed(t, nil)
	addr := b.serve(t, nil)
	tok := b.token(t, "secrets:use:production/*")
	for _, fields := range []string{"Content-Length: 840", "Transfer-Encoding: chunked"} {
		b.brokenUpstream(t, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
		statuses, said := exchange(t, addr, "POST /use/"+path+"/~/v1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+tok+"\r\nConnection: close\r\n"+fields+"\r\n\r\n"+
			strings.Repeat("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 20)) // of 42 bytes each
		if len(statuses) != 1 || strings.Contains(said, `"ok"`) {
			t.Errorf("%s: %v %q", fields, statuses, said)
		}
	}
}
