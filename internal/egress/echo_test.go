// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/vault"
)

// Whatever an upstream makes of the header that it got, the caller does not get it back.
func TestEchoes(t *testing.T) {
	type echo func(w http.ResponseWriter, value string)
	body := func(f func(string) string) echo {
		return func(w http.ResponseWriter, v string) { io.WriteString(w, f(v)) }
	}
	for name, e := range map[string]echo{
		"raw":    body(func(v string) string { return "you sent " + v }),
		"base64": body(func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) }),
		"url":    body(url.QueryEscape),
		"hex":    body(func(v string) string { return hex.EncodeToString([]byte(v)) }),
		"json":   body(func(v string) string { b, _ := json.Marshal(map[string]string{"key": v}); return string(b) }),
		"php":    body(func(v string) string { return strings.ReplaceAll(v, "/", `\/`) }),
		"twice":  body(func(v string) string { return v + v }),
		"byte by byte": func(w http.ResponseWriter, v string) {
			for i := range len(v) {
				io.WriteString(w, v[i:i+1])
				w.(http.Flusher).Flush()
			}
		},
		"event stream": func(w http.ResponseWriter, v string) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "data: "+v[:12])
			w.(http.Flusher).Flush()
			io.WriteString(w, v[12:]+"\n\n")
		},
		"gzip": func(w http.ResponseWriter, v string) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, v)
			z.Close()
		},
		"header":      func(w http.ResponseWriter, v string) { w.Header().Set("X-Echo", v) },
		"header name": func(w http.ResponseWriter, v string) { w.Header()["X-"+hex.EncodeToString([]byte(v))] = []string{"1"} },
		"trailer": func(w http.ResponseWriter, v string) {
			w.(http.Flusher).Flush() // else it has a length, and no trailer
			w.Header().Set(http.TrailerPrefix+"X-Echo", v)
		},
		"error page": func(w http.ResponseWriter, v string) { http.Error(w, v, http.StatusUnauthorized) },
	} {
		b := newBed(t)
		url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
			e(w, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		})
		resp, body, err := get(t, b.client(), url)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		clean(t, name, resp.Status, resp.Header, resp.Trailer, body, resp)
		if text := fmt.Sprint(body, resp.Header, resp.Trailer); !strings.Contains(strings.ToLower(text), redact.Mask) {
			t.Errorf("%s: nothing is masked: %s", name, text)
		}
		b.one(t)
	}
}

// Errors quote what upstreams send.
func TestMalformedAnswers(t *testing.T) {
	for name, f := range map[string]func(string) string{
		"no HTTP":        func(v string) string { return v + " is your key\r\n\r\n" },
		"status code":    func(v string) string { return "HTTP/1.1 " + v + " OK\r\n\r\n" },
		"header line":    func(v string) string { return "HTTP/1.1 200 OK\r\n" + v + "\r\n\r\n" },
		"length":         func(v string) string { return "HTTP/1.1 200 OK\r\nContent-Length: " + v + "\r\n\r\n" },
		"encoding":       func(v string) string { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + v + "\r\n\r\n" },
		"chunk":          func(v string) string { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + v + "\r\n" },
		"cut":            func(v string) string { return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + v },
		"location":       func(v string) string { return "HTTP/1.1 302 Found\r\nLocation: http://" + v + "\r\n\r\n" },
		"location, path": func(v string) string { return "HTTP/1.1 302 Found\r\nLocation: https://example.com/" + v + "\r\n\r\n" },
		"switching": func(v string) string {
			return "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: " + v + "\r\n\r\n"
		},
		"br": func(v string) string { return "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nhi" },
		"gzip, twice": func(v string) string {
			return "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 2\r\n\r\nhi"
		},
	} {
		b := newBed(t)
		resp, body, err := get(t, b.client(), b.raw(t, f))
		if err == nil {
			t.Errorf("%s: no error, but %q", name, body)
			continue
		}
		clean(t, name, resp, body, err, err.Error())
		for e := err; e != nil; e = errors.Unwrap(e) {
			clean(t, name, e.Error())
		}
	}
	b := newBed(t)
	resp, _, err := get(t, b.client(), b.raw(t, func(v string) string { return "HTTP/1.1 200 " + v + "\r\nContent-Length: 0\r\n\r\n" }))
	if err != nil {
		t.Fatal(err)
	}
	clean(t, "status text", resp.Status)
}

// An upstream of HTTP/2 ends a connection with a text of its own, which the error quotes.
func TestGoAway(t *testing.T) {
	b := newBed(t)
	pair := httptest.NewTLSServer(nil)
	pair.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: pair.TLS.Certificates, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	frame := func(kind byte, stream byte, payload string) string {
		return string([]byte{0, 0, byte(len(payload)), kind, 0, 0, 0, 0, stream}) + payload
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, frame(4, 0, "")) // SETTINGS
		buf := make([]byte, 1<<10)
		for seen := ""; !strings.Contains(seen, "\x00\x00\x00\x01"); { // until there is something of stream 1
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			seen += string(buf[:n])
		}
		io.WriteString(c, frame(7, 0, "\x00\x00\x00\x01"+"\x00\x00\x00\x02"+"your key: "+canary)) // GOAWAY, with an error
	}()
	b.pool.roots = x509.NewCertPool()
	b.pool.roots.AddCert(pair.Certificate())
	b.policy(t, vault.Policy{Hosts: []string{l.Addr().String()}, Networks: loopback})
	_, _, err = get(t, b.client(), "https://"+l.Addr().String())
	clean(t, "the error", fmt.Sprint(err))
	if err == nil || !strings.Contains(err.Error(), redact.Mask) {
		t.Errorf("%v", err)
	}
}

// net/http quotes in its errors as Go does, and without a bound.
func TestQuotedErrors(t *testing.T) {
	for _, value := range []string{"canary\xff-5f2c9e81", "canary\u0085-\\5f2c9e81", `canary"-5f2c9e81`, "canary-é-5f2c9e81\ufeff"} {
		b := newBed(t)
		url := b.raw(t, func(v string) string { return v + "\r\n\r\n" })
		if _, err := b.Operator("test").Put(t.Context(), vault.Item{Path: path, Value: vault.NewSecret(value)}); err != nil {
			t.Fatal(err)
		}
		_, _, err := get(t, b.client(), url)
		if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "5f2c") {
			t.Errorf("%q: %v", value, err)
		}
	}
	b := newBed(t)
	url := b.raw(t, func(v string) string { return strings.Repeat("é", 100_000) + v + "\r\n\r\n" })
	_, _, err := get(t, b.client(), url)
	if text := fmt.Sprint(err); err == nil || len(text) > 2*maxText || !utf8.ValidString(text) {
		t.Errorf("%d bytes: %.100q", len(text), text)
	}
}
