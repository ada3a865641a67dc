// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

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
