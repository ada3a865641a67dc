// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

// pipes is a listener without a network, for bubbles of synctest.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), ended: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.ended) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

// inBubble serves a vault, and h at "/slow/", in a bubble, to f.
func inBubble(t *testing.T, h http.Handler, f func(t *testing.T, l *pipes, b bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.Open(t, map[string]string{path: canary})
		cfg := server.Config{Vault: v}
		gateway, err := server.NewGateway(cfg)
		if err != nil {
			t.Fatal(err)
		}
		api, err := server.NewAPI(cfg)
		if err != nil {
			t.Fatal(err)
		}
		l := newPipes()
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() {
			ended <- server.Serve(ctx, l, server.Route(map[string]http.Handler{"/use/": gateway, "/": api, "/slow/": h}), nil)
		}()
		f(t, l, bed{v, v.Operator("test"), ""})
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A client that takes its time is ended by one of the deadlines, wherever it dawdles.
func TestAttackSlowClients(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, l *pipes, b bed) {
		tok := b.token(t, "secrets:*:*")
		// A log that is longer than what a connection holds.
		for i := range 40 {
			b.send2(t, l, tok, fmt.Sprintf(`{"path":"production/a%d","value":%q}`, i, strings.Repeat("x", 100)))
		}
		_, key, err := b.op.NewKey(t.Context(), operatorKey(), "")
		if err != nil {
			t.Fatal(err)
		}
		auth := "Host: localhost\r\nAuthorization: Bearer " + tok + "\r\n"
		operator := "Host: localhost\r\nAuthorization: Bearer " + key.Reveal() + "\r\n"
		const jsonBody = "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
		for _, c := range []struct {
			name, at, drip string
			within         time.Duration
			want           string // in what it is told
		}{
			{"header", "GET /healthz HTTP/1.1\r\n", "X-A: b\r\n", 10 * time.Second, ""},
			{"nothing", "", "", 10 * time.Second, ""},
			{"body, API", "POST /api/v1/get HTTP/1.1\r\n" + auth + jsonBody, " ", 35 * time.Second, "400 Bad Request"},
			{"body that never comes, API", "POST /api/v1/get HTTP/1.1\r\n" + auth + jsonBody, "", 35 * time.Second, "400 Bad Request"},
			{"body, API, chunked", "POST /api/v1/get HTTP/1.1\r\n" + auth + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", 35 * time.Second, "400 Bad Request"},
			{"body of a stranger, API", "POST /api/v1/put HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer kw_tok_x\r\n" + jsonBody, " ", 5 * time.Second, "401 Unauthorized"},
			{"body of nobody", "POST /api/v1/put HTTP/1.1\r\nHost: localhost\r\n" + jsonBody, " ", 5 * time.Second, "401 Unauthorized"},
			{"body of a stranger, gateway", "POST /use/" + path + "/~/v1 HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: kw_tok_x\r\nContent-Length: 1000\r\n\r\n", " ", 5 * time.Second, "401 Unauthorized"},
			{"body that the gateway refuses", "POST /use/staging/x/~/v1 HTTP/1.1\r\n" + auth + "Content-Length: 1000\r\n\r\n", "", 5 * time.Second, "404 Not Found"},
			{"body of a check", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", " ", 5 * time.Second, "401 Unauthorized"},
			{"body of a look at the API", "GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", " ", 5 * time.Second, "401 Unauthorized"},
			{"body of OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", " ", 5 * time.Second, "401 Unauthorized"},
			{"answer that nobody reads", "GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n", "-", time.Minute, ""},
			{"export that nobody reads", "POST /api/v1/export HTTP/1.1\r\n" + operator + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", "-", time.Minute, ""},
			{"short answer that nobody reads", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "-", time.Minute, ""},
		} {
			conn := l.dial()
			start := time.Now()
			if _, err := io.WriteString(conn, c.at); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			said := new(strings.Builder)
			over := make(chan time.Duration, 1)
			if c.drip == "-" { // its peer closes when the deadline has passed
				time.Sleep(c.within + time.Second)
				_, err := io.Copy(said, conn)
				if err != nil || strings.Contains(said.String(), "signature") {
					t.Errorf("%s: %v", c.name, err)
				}
				over <- 0
			} else {
				go func() {
					_, _ = io.Copy(said, conn)
					over <- time.Since(start)
				}()
				for c.drip != "" {
					time.Sleep(time.Second)
					if _, err := io.WriteString(conn, c.drip); err != nil {
						break
					}
				}
			}
			if took := <-over; took > c.within+time.Second || !strings.Contains(said.String(), c.want) {
				t.Errorf("%s: ended after %v: %q", c.name, took, said)
			}
			conn.Close()
		}
	})
}

// send2 puts a secret over a connection of its own.
func (b bed) send2(t *testing.T, l *pipes, tok, body string) {
	t.Helper()
	c := l.dial()
	defer c.Close()
	fmt.Fprintf(c, "POST /api/v1/put HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", tok, len(body), body)
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 200 {
		t.Fatal(err)
	}
}

// hour sends ten events, one every six minutes.
func hour(t *testing.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 10 {
			fmt.Fprintf(w, "data: x\n\n")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			select {
			case <-r.Context().Done():
				t.Error("cancelled")
				return
			case <-time.After(6 * time.Minute):
			}
		}
	})
}

func checkHour(t *testing.T, start time.Time, resp *http.Response, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if took := time.Since(start); err != nil || strings.Count(string(body), "data: x") != 10 || took != time.Hour {
		t.Errorf("%q, %v, after %v", body, err, took)
	}
}

// A stream may last, and be silent for long, in either direction; an idle connection may not.
func TestLongStreams(t *testing.T) {
	inBubble(t, hour(t), func(t *testing.T, l *pipes, b bed) {
		c := l.dial()
		defer c.Close()
		start := time.Now()
		io.WriteString(c, "GET /slow/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		checkHour(t, start, resp, err)
		start = time.Now()
		if _, err := r.ReadByte(); err != io.EOF || time.Since(start) != 2*time.Minute {
			t.Errorf("an idle connection: %v after %v", err, time.Since(start))
		}
	})
}

// HTTP/2 ends a stream whose deadline passes, written or not: none may stand between two parts.
func TestLongStreamsHTTP2(t *testing.T) {
	overHTTP2(t, hour, func(t *testing.T, client *http.Transport, _ *stalling) {
		start := time.Now()
		req, _ := http.NewRequest("GET", "https://localhost/", nil)
		resp, err := client.RoundTrip(req)
		checkHour(t, start, resp, err)
		if resp.ProtoMajor != 2 {
			t.Error(resp.Proto)
		}
	})
}

// Who stops reading a connection of HTTP/2 is let go, with all its streams.
func TestNobodyReadsHTTP2(t *testing.T) {
	waits := func(t *testing.T) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/waits" {
				return
			}
			start := time.Now()
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			if took := time.Since(start); took > 3*time.Minute {
				t.Errorf("held for %v", took)
			}
		})
	}
	overHTTP2(t, waits, func(t *testing.T, client *http.Transport, conn *stalling) {
		req, _ := http.NewRequest("GET", "https://localhost/", nil)
		resp, err := client.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		synctest.Wait()
		conn.stall.Store(true)
		req.URL.Path = "/waits"
		go client.RoundTrip(req)
		time.Sleep(time.Hour)
	})
}

// overHTTP2 serves a handler over TLS and HTTP/2, in a bubble, to f, whose client has one connection.
func overHTTP2(t *testing.T, handler func(*testing.T) http.Handler, f func(*testing.T, *http.Transport, *stalling)) {
	t.Helper()
	lent := httptest.NewTLSServer(nil)
	lent.Close()
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() {
			ended <- server.Serve(ctx, tls.NewListener(l, &tls.Config{Certificates: lent.TLS.Certificates, NextProtos: []string{"h2"}}), handler(t), nil)
		}()
		conn := &stalling{Conn: l.dial(), closed: make(chan struct{})}
		client := &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) // a bubble begins in the year 2000
			return c, c.HandshakeContext(ctx)
		}}
		f(t, client, conn)
		conn.Close()
		client.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// stalling is a connection that is not read any more once it stalls.
type stalling struct {
	net.Conn
	stall  atomic.Bool
	once   sync.Once
	closed chan struct{}
}

func (s *stalling) Read(p []byte) (int, error) {
	if s.stall.Load() {
		<-s.closed
	}
	return s.Conn.Read(p)
}

func (s *stalling) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.Conn.Close()
}
