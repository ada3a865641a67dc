// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

func TestPlacement(t *testing.T) {
	for _, c := range []struct{ placement, header, want, query string }{
		{"", "Authorization", "Bearer " + canary, ""},
		{"bearer", "Authorization", "Bearer " + canary, ""},
		{"basic:user", "Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+canary)), ""},
		{"header:X-Api-Key", "X-Api-Key", canary, ""},
		{"query:key", "", "", canary},
	} {
		b := newBed(t)
		var got *http.Request
		url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) { got = r })
		b.policy(t, vault.Policy{Hosts: []string{url + "/v1"}, Networks: loopback, Placement: c.placement})
		req, _ := http.NewRequestWithContext(t.Context(), "GET", url+"/v1/search?q=go", nil)
		req.Header = http.Header{"Authorization": {"Bearer dummy"}, "X-Api-Key": {"dummy"}, "x-api-key": {"dummy"}, "Proxy-Authorization": {"dummy"}, "X-Own": {"kept"}}
		resp, _, err := do(b.client(), req)
		if err != nil {
			t.Fatalf("%s: %v", c.placement, err)
		}
		if c.header != "" && (len(got.Header[c.header]) != 1 || got.Header.Get(c.header) != c.want) {
			t.Errorf("%s: %s is %q", c.placement, c.header, got.Header[c.header])
		}
		if c.header != "Authorization" && got.Header.Get("Authorization") != "" || got.Header.Get("Proxy-Authorization") != "" || got.Header.Get("X-Own") != "kept" {
			t.Errorf("%s: %v", c.placement, got.Header)
		}
		if q := got.URL.Query(); q.Get("key") != c.query || q.Get("q") != "go" {
			t.Errorf("%s: query %q", c.placement, got.URL.RawQuery)
		}
		if resp.Request.Header.Get("Authorization") != "Bearer dummy" || resp.Request.URL.String() != url+"/v1/search?q=go" {
			t.Errorf("%s: the request of the answer is not the caller's: %v %v", c.placement, resp.Request.URL, resp.Request.Header)
		}
		clean(t, c.placement, resp, resp.Request, resp.Request.URL.String(), resp.Header)
		if r := b.one(t); r.Op != "use" || r.Outcome != audit.Granted || r.Method != "GET" || r.Host != strings.TrimPrefix(url, "http://") || r.Path != path || r.Reason != "a test" || r.Call != "call-1" {
			t.Errorf("%s: recorded as %+v", c.placement, r)
		}
	}
}

// A value that no header can hold is an error that does not quote it.
func TestValuesThatDoNotFit(t *testing.T) {
	for _, value := range []string{canary + "\n", " " + canary, canary + "\r\nX-Evil: 1", canary + "\x00", "\x7f" + canary} {
		b := newBed(t)
		url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) { t.Error("it was sent") })
		if _, err := b.Operator("test").Put(t.Context(), vault.Item{Path: path, Value: vault.NewSecret(value)}); err != nil {
			t.Fatal(err)
		}
		_, _, err := get(t, b.client(), url)
		if !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%q: %v", value, err)
		}
		clean(t, "the error", err.Error())
	}
	b := newBed(t)
	url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) { t.Error("it was sent") })
	b.policy(t, vault.Policy{Hosts: []string{url}, Networks: loopback, Placement: "query:key"})
	for _, q := range []string{"?key=1", "?k%65y=1", "?a=%zz", "?a;b"} {
		if _, _, err := get(t, b.client(), url+q); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%s: %v", q, err)
		}
	}
}

// What net/http writes itself, and what the credential is in, goes out once: in no other spelling, at whose two meanings servers differ.
func TestNothingGoesOutTwice(t *testing.T) {
	b := newBed(t)
	seen := make(chan string, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		var text string
		for buf := make([]byte, 1<<10); !strings.Contains(text, "\r\n\r\nhello"); {
			n, err := c.Read(buf)
			if err != nil {
				break
			}
			text += string(buf[:n])
		}
		io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		seen <- text
	}()
	url := "http://" + l.Addr().String()
	b.policy(t, vault.Policy{Hosts: []string{url}, Networks: loopback, Placement: "header:X-Api-Key"})
	req, _ := http.NewRequestWithContext(t.Context(), "POST", url+"/v1", strings.NewReader("hello"))
	for _, name := range []string{"host", "HOST", "content-length", "Content_Length", "transfer-encoding", "TRANSFER_ENCODING", "te", "trailer", "connection", "upgrade", "authorization", "x-api-key", "X_API_KEY", "accept-encoding", "proxy-authorization", "keep-alive"} {
		req.Header[name] = []string{"forged"}
	}
	req.Header["x-own"] = []string{"kept"}
	if _, _, err := do(b.client(), req); err != nil {
		t.Fatal(err)
	}
	text := <-seen
	if strings.Contains(text, "forged") || strings.Count(text, canary) != 1 || !strings.Contains(text, "\r\nx-own: kept\r\n") {
		t.Errorf("%s", text)
	}
}
