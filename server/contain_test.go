// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/server"
)

// A panic before the answer is a 500, and one behind its beginning ends the connection: nobody takes a part for all.
func TestPanics(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow/written":
			io.WriteString(w, "a part")
		case "/slow/flushed":
			io.WriteString(w, "a part")
			w.(http.Flusher).Flush()
		case "/slow/headed":
			w.WriteHeader(http.StatusOK)
		case "/slow/early":
			w.WriteHeader(http.StatusEarlyHints)
		}
		panic(errors.New(canary))
	})
	inBubble(t, h, func(t *testing.T, l *pipes, b bed) {
		for _, c := range []struct {
			place string
			whole bool
		}{{"at-once", true}, {"early", true}, {"headed", false}, {"written", false}, {"flushed", false}} {
			conn := l.dial()
			fmt.Fprintf(conn, "GET /slow/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", c.place)
			said, _ := io.ReadAll(conn)
			conn.Close()
			r := bufio.NewReader(strings.NewReader(strings.TrimPrefix(string(said), "HTTP/1.1 103 Early Hints\r\n\r\n")))
			resp, err := http.ReadResponse(r, nil)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
			}
			if (err == nil) != c.whole || c.whole && resp.StatusCode != 500 || strings.Contains(string(said), canary) {
				t.Errorf("%s: %q, %v", c.place, said, err)
			}
		}
	})
}

// Who does not read is let go, whoever answers: a handler, net/http itself, or the body that a handler asks for.
func TestNobodyReads(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, l *pipes, b bed) {
		auth := "Host: localhost\r\nAuthorization: Bearer " + b.token(t, "secrets:*:*") + "\r\nContent-Length: 10\r\n"
		for name, asked := range map[string]string{
			"health":                 "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
			"a refusal":              "POST /api/v1/get HTTP/1.1\r\n" + auth + "\r\n0123456789",
			"100, API":               "POST /api/v1/get HTTP/1.1\r\n" + auth + "Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n",
			"100, gateway":           "POST /use/" + path + "/~/v1 HTTP/1.1\r\n" + auth + "Expect: 100-continue\r\n\r\n",
			"417 of net/http":        "POST /api/v1/get HTTP/1.1\r\n" + auth + "Expect: 200-x\r\n\r\n",
			"400 of net/http":        "GET / HTTP/1.1\r\nHo st: x\r\n\r\n",
			"400 without a host":     "GET / HTTP/1.1\r\n\r\n",
			"431 of net/http":        "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 70000),
			"501 of net/http":        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
			"the second of two asks": "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		} {
			conn := l.dial()
			go io.WriteString(conn, asked)
			time.Sleep(3 * time.Minute)
			start := time.Now()
			said, err := io.ReadAll(conn)
			if err != nil || len(said) > 0 || time.Since(start) > 0 {
				t.Errorf("%s: %q, %v, %v later", name, said, err, time.Since(start))
			}
			conn.Close()
		}
	})
}

// Over TLS no deadline passes between two parts, written or not: the answer to a client that changes its keys would be lost, and with
// it the connection.
func TestNoDeadlineWhileSilent(t *testing.T) {
	lent := httptest.NewTLSServer(nil)
	lent.Close()
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() {
			ended <- server.Serve(ctx, tls.NewListener(l, &tls.Config{Certificates: lent.TLS.Certificates}), hour(t), nil)
		}()
		here, there := net.Pipe()
		conn := &deadlined{Conn: there}
		l.conns <- conn
		c := tls.Client(here, &tls.Config{InsecureSkipVerify: true}) // a bubble begins in the year 2000
		defer c.Close()
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		r := bufio.NewReader(c)
		if _, err := http.ReadResponse(r, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if until := conn.until.Load(); until != (time.Time{}) {
			t.Errorf("nothing may be written behind %v, with nothing to write", until)
		}
		go io.Copy(io.Discard, r)
		time.Sleep(2 * time.Hour)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

type deadlined struct {
	net.Conn
	until atomic.Value
}

func (d *deadlined) SetWriteDeadline(until time.Time) error {
	d.until.Store(until)
	return d.Conn.SetWriteDeadline(until)
}

func (d *deadlined) SetDeadline(until time.Time) error {
	d.until.Store(until)
	return d.Conn.SetDeadline(until)
}

// The files of a form are net/http's to remove, also where contain has the request copied.
func TestFormsLeaveNoFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	inBubble(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil {
			t.Error(err)
		}
		if files, _ := filepath.Glob(dir + "/*"); len(files) != 1 {
			t.Errorf("%q in the handler", files)
		}
	}), func(t *testing.T, l *pipes, b bed) {
		var form bytes.Buffer
		w := multipart.NewWriter(&form)
		part, _ := w.CreateFormFile("f", "f")
		part.Write(make([]byte, 11<<20))
		w.Close()
		conn := l.dial()
		defer conn.Close()
		fmt.Fprintf(conn, "POST /slow/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", w.FormDataContentType(), form.Len())
		go form.WriteTo(conn)
		if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != 200 {
			t.Error(resp, err)
		}
		synctest.Wait()
		if files, _ := filepath.Glob(dir + "/*"); len(files) != 0 {
			t.Errorf("left: %q", files)
		}
	})
}

// A handler may ask for a body late: the deadline of the first part has passed by then.
func TestLateBody(t *testing.T) {
	late := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * time.Minute)
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %v", body, err)
	})
	inBubble(t, late, func(t *testing.T, l *pipes, b bed) {
		c := l.dial()
		defer c.Close()
		_ = c.SetReadDeadline(time.Now().Add(time.Hour))
		fmt.Fprintf(c, "POST /slow/ HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
		r := bufio.NewReader(c)
		if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusContinue {
			t.Fatal(resp, err)
		}
		fmt.Fprint(c, "hello")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello <nil>" {
			t.Errorf("%q, %v", body, err)
		}
	})
}
