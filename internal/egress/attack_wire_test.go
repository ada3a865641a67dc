// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// What a caller says of the length of a body and of its encoding cannot have the rest of it read as a request of its own: one
// to a path that no policy names, with the next request, and its credential, as its body.
func TestNoRequestInABody(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"as it is":          func(*http.Request) {},
		"no length":         func(r *http.Request) { r.ContentLength = -1 },
		"identity":          func(r *http.Request) { r.TransferEncoding, r.ContentLength = []string{"identity"}, -1 },
		"identity, zero":    func(r *http.Request) { r.TransferEncoding, r.ContentLength = []string{"identity"}, 0 },
		"chunked, and long": func(r *http.Request) { r.TransferEncoding = []string{"chunked"} },
		"two encodings":     func(r *http.Request) { r.TransferEncoding, r.ContentLength = []string{"identity", "chunked"}, -1 },
		"too short":         func(r *http.Request) { r.ContentLength = 5 },
		"too long":          func(r *http.Request) { r.ContentLength *= 2 },
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var paths []string
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					for r := bufio.NewReader(c); ; {
						req, err := http.ReadRequest(r)
						if err != nil {
							return
						}
						mu.Lock()
						paths = append(paths, req.URL.Path)
						mu.Unlock()
						if _, err := io.Copy(io.Discard, req.Body); err != nil {
							return
						}
						io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					}
				}()
			}
		}()
		b := newBed(t)
		url := "http://" + l.Addr().String()
		b.policy(t, vault.Policy{Hosts: []string{url + "/v1"}, Networks: loopback})
		const inner = "POST /evil HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n"
		req, _ := http.NewRequestWithContext(t.Context(), "POST", url+"/v1/first", io.MultiReader(strings.NewReader(inner)))
		req.ContentLength = int64(len(inner))
		change(req)
		_, _, _ = do(b.client(), req) // a wrong length is an error
		_, _, err = get(t, b.client(), url+"/v1/second")
		b.CloseIdle()
		l.Close()
		mu.Lock()
		if text := strings.Join(paths, " "); err != nil || strings.Contains(text, "/evil") || !strings.HasSuffix(text, "/v1/second") {
			t.Errorf("%s: the upstream got %s; %v", name, text, err)
		}
		mu.Unlock()
	}
}

// careless is an upstream that reads no body, but that of a request to /evil: what stands there it takes for its next request. It
// closes a connection when it is told to.
func careless(t *testing.T) (url string, paths func() string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all []string
	var wg sync.WaitGroup
	serve := func(c net.Conn) {
		defer c.Close()
		for r := bufio.NewReader(c); ; {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			mu.Lock()
			all = append(all, req.Method+" "+req.URL.Path)
			mu.Unlock()
			if req.URL.Path == "/evil" {
				io.Copy(io.Discard, req.Body)
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			if req.Close {
				return
			}
		}
	}
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(c) })
		}
	})
	return "http://" + l.Addr().String(), func() string {
		l.Close()
		wg.Wait()
		return strings.Join(all, ", ")
	}
}

// A body where servers look for none is no request of its own.
func TestOddBodies(t *testing.T) {
	const inner = "POST /evil HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n"
	for _, method := range []string{"GET", "DELETE", "OPTIONS"} {
		url, paths := careless(t)
		b := newBed(t)
		b.policy(t, vault.Policy{Hosts: []string{url}, Networks: loopback})
		for range 2 {
			req, _ := http.NewRequestWithContext(t.Context(), method, url+"/v1", strings.NewReader(inner))
			if _, _, err := do(b.client(), req); err != nil {
				t.Error(method, err)
			}
		}
		b.CloseIdle()
		if got, want := paths(), method+" /v1, "+method+" /v1"; got != want {
			t.Errorf("%s: the upstream got %s", method, got)
		}
	}
}

// Whoever has an upstream take the body of a POST for a request gets none of the requests of others into it.
func TestOthersAreNotOnTheConnection(t *testing.T) {
	const inner = "POST /evil HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n"
	url, paths := careless(t)
	b := newBed(t)
	b.policy(t, vault.Policy{Hosts: []string{url}, Networks: loopback})
	other := New(b.session, "another", b.pool, b.masking)
	req, _ := http.NewRequestWithContext(t.Context(), "POST", url+"/v1", strings.NewReader(inner))
	if _, _, err := do(b.client(), req); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // inside of a body it would wait for its answer
	defer cancel()
	req, _ = http.NewRequestWithContext(ctx, "GET", url+"/other", nil)
	if _, _, err := do(&http.Client{Transport: other.Transport(Use{Path: path})}, req); err != nil {
		t.Error(err)
	}
	b.CloseIdle()
	if got := paths(); !strings.Contains(got, "GET /other") {
		t.Errorf("the upstream got %s", got)
	}
}
