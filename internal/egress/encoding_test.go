// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/agent/redact"
)

// An answer is masked, or there is none: whatever encoding it says it has, and whatever the caller has asked for.
func TestEncodings(t *testing.T) {
	for _, c := range []struct {
		name, method, encoding string
		ask                    http.Header
		ok                     bool
	}{
		{"none", "GET", "", nil, true},
		{"identity", "GET", "identity", nil, true},
		{"identity in upper case", "GET", "IDENTITY", nil, true},
		{"gzip", "GET", "gzip", nil, true},
		{"gzip, though br was asked for", "GET", "gzip", http.Header{"Accept-Encoding": {"br"}}, true},
		{"gzip, asked for by the caller, who would decode it", "GET", "gzip", http.Header{"Accept-Encoding": {"gzip"}}, true},
		{"gzip, asked for in another spelling", "GET", "gzip", http.Header{"accept-encoding": {"gzip"}}, true},
		{"gzip of a part, which is not asked for", "GET", "gzip", http.Header{"Range": {"bytes=0-9"}}, true},
		{"br", "GET", "br", http.Header{"Accept-Encoding": {"br"}}, false},
		{"deflate", "GET", "deflate", nil, false},
		{"zstd", "GET", "zstd", nil, false},
		{"x-gzip", "GET", "x-gzip", nil, false},
		{"two", "GET", "gzip, br", nil, false},
		{"a word that nobody knows", "GET", "rot13", nil, false},
		{"br, POST", "POST", "br", nil, false},
		{"gzip without a body", "HEAD", "gzip", nil, true},
		{"br without a body", "HEAD", "br", nil, true},
	} {
		b := newBed(t)
		to := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
			if c.encoding != "" {
				w.Header().Set("Content-Encoding", c.encoding)
			}
			w.Header().Set("X-Echo", r.Header.Get("Authorization"))
			if c.encoding == "gzip" {
				z := gzip.NewWriter(w)
				defer z.Close()
				io.WriteString(z, r.Header.Get("Authorization"))
				return
			}
			io.WriteString(w, r.Header.Get("Authorization"))
		})
		req, _ := http.NewRequestWithContext(t.Context(), c.method, to, nil)
		for k, v := range c.ask {
			req.Header[k] = v
		}
		resp, body, err := do(b.client(), req)
		if c.ok != (err == nil) || !c.ok && !strings.Contains(err.Error(), errEncoding.Error()) {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.ok && (resp.Header.Get("X-Echo") != "Bearer "+redact.Mask || c.method != "HEAD" && body != "Bearer "+redact.Mask) {
			t.Errorf("%s: %q, %v", c.name, body, resp.Header)
		}
		clean(t, c.name, resp, body, err)
		b.one(t)
	}
}

// HEAD keeps the length that the upstream tells, since there is no body that could be longer.
func TestHead(t *testing.T) {
	b := newBed(t)
	to := b.upstream(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "1234") })
	req, _ := http.NewRequestWithContext(t.Context(), "HEAD", to, nil)
	resp, body, err := do(b.limited(Limits{Body: 1}), req)
	if err != nil || body != "" || resp.ContentLength != 1234 || resp.Header.Get("Content-Length") != "1234" {
		t.Errorf("%v, %q, %+v", err, body, resp)
	}
	if r := b.one(t); r.Method != "HEAD" {
		t.Errorf("recorded as %+v", r)
	}
}
