// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/vault"
)

// However an upstream cuts what it echoes, wherever the credential was placed, over HTTP/1.1 and HTTP/2: the caller reads the mask.
func TestEveryCutOfAnEcho(t *testing.T) {
	for _, placement := range []string{"bearer", "basic:user", "header:X-Api-Key", "query:key"} {
		for _, h2 := range []bool{false, true} {
			b := newBed(t)
			h := func(w http.ResponseWriter, r *http.Request) {
				if (r.ProtoMajor == 2) != h2 {
					t.Errorf("%s", r.Proto)
				}
				_, password, _ := r.BasicAuth()
				v := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") + " " + password + " " + r.Header.Get("X-Api-Key") + " " + r.URL.Query().Get("key") + " " + r.URL.RawQuery
				i, _ := strconv.Atoi(r.URL.Query().Get("cut"))
				i = min(i, len(v))
				w.Header().Set("Trailer", "X-Echo")
				w.Header().Set("X-First", v)
				io.WriteString(w, "<"+v[:i])
				w.(http.Flusher).Flush()
				io.WriteString(w, v[i:]+">")
				w.Header().Set("X-Echo", v)
			}
			var to string
			if h2 {
				to, _ = b.named(t, h, loopback, "127.0.0.1")
			} else {
				to = b.upstream(t, h)
			}
			hosts := strings.TrimPrefix(to, "https://")
			b.policy(t, vault.Policy{Hosts: []string{hosts}, Networks: loopback, Placement: placement})
			for cut := range 2 * len(canary) {
				resp, body, err := get(t, b.client(), fmt.Sprintf("%s/?cut=%d", to, cut))
				if err != nil {
					t.Fatal(err)
				}
				clean(t, placement, body, resp, resp.Header, resp.Trailer, resp.Request, resp.Request.URL.String())
				if !strings.Contains(body, redact.Mask) || !strings.Contains(resp.Header.Get("X-First"), redact.Mask) || !strings.Contains(resp.Trailer.Get("X-Echo"), redact.Mask) {
					t.Errorf("%s cut at %d: %q, %v, %v", placement, cut, body, resp.Header, resp.Trailer)
				}
			}
			clean(t, "the records", b.all(t))
		}
	}
}

// Trailers are there before the caller has read the end.
func TestTrailersAreNeverUnmasked(t *testing.T) {
	b := newBed(t)
	to := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Echo")
		io.WriteString(w, "hello")
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
	})
	resp, err := b.client().Get(to)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 5; n++ {
		if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		clean(t, fmt.Sprintf("after %d bytes", n+1), resp.Trailer)
	}
	resp.Body.Close()
	clean(t, "after Close", resp.Trailer)
	if got := resp.Trailer.Get("X-Echo"); got != "Bearer "+redact.Mask {
		t.Errorf("%q", got)
	}
}

// An upstream that sends the caller on to a URL with the credential in it, as one with a query does, sends it nowhere.
func TestRedirectWithTheCredential(t *testing.T) {
	b := newBed(t)
	hits := 0
	to := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if hits++; r.URL.Path == "/" {
			http.Redirect(w, r, "/there?"+r.URL.RawQuery, http.StatusMovedPermanently)
			return
		}
		if r.URL.Path == "/plain" {
			http.Redirect(w, r, "/referred", http.StatusFound)
		}
		clean(t, "the referrer", r.Referer())
	})
	b.policy(t, vault.Policy{Hosts: []string{to}, Networks: loopback, Placement: "query:key"})
	_, _, err := get(t, b.client(), to)
	if err == nil || hits != 1 {
		t.Errorf("%v, %d hits", err, hits)
	}
	clean(t, "the error", fmt.Sprint(err), err)
	if _, _, err := get(t, b.client(), to+"/plain"); err != nil || hits != 3 {
		t.Errorf("%v, %d hits", err, hits)
	}
	clean(t, "the records", b.all(t))
}
