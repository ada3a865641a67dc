// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

func TestConcurrentRequests(t *testing.T) {
	b := newBed(t)
	url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path, r.Header.Get("Authorization")) })
	c := b.client()
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			_, body, err := get(t, c, fmt.Sprintf("%s/%d", url, i))
			if want := fmt.Sprintf("/%dBearer %s", i, redact.Mask); err != nil || body != want {
				t.Errorf("%q, %v", body, err)
			}
		})
	}
	wg.Wait()
	if n := len(b.all(t)); n != 64 {
		t.Errorf("%d records", n)
	}
}

// A token that has died sends nothing more.
func TestDeadToken(t *testing.T) {
	for name, kill := range map[string]func(bed) error{
		"revoked": func(b bed) error {
			claims, err := b.session.Claims(context.Background())
			if err != nil {
				return err
			}
			return b.Operator("test").Revoke(context.Background(), claims[0].ID, "a test")
		},
		"secret deleted": func(b bed) error {
			return b.Operator("test").Delete(context.Background(), vault.Request{Path: path, Reason: "a test"})
		},
		"path frozen": func(b bed) error {
			return b.Operator("test").Freeze(context.Background(), vault.Frozen{Kind: "path", Value: path}, "a test")
		},
		"no host left": func(b bed) error {
			return b.Operator("test").SetPolicy(context.Background(), path, vault.Policy{}, "a test")
		},
	} {
		b := newBed(t)
		hits := 0
		url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) { hits++ })
		if _, _, err := get(t, b.client(), url); err != nil {
			t.Fatal(err)
		}
		if err := kill(b); err != nil {
			t.Fatal(err)
		}
		_, _, err := get(t, b.client(), url) // on a connection that is open
		if !errors.Is(err, vault.ErrDenied) && !errors.Is(err, vault.ErrNotFound) || hits != 1 {
			t.Errorf("%s: %v, %d hits", name, err, hits)
		}
		all := b.all(t)
		if r := all[len(all)-1]; len(all) != 2 || r.Outcome == audit.Granted || "http://"+r.Host != url || r.Method != "GET" {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

// The body of a request is the caller's to see, the request that carries the credential is not: GetBody and Body get nothing of it.
func TestRequestIsNotChanged(t *testing.T) {
	b := newBed(t)
	to := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if n, _ := io.Copy(io.Discard, r.Body); n != 5 || len(r.Trailer) != 0 {
			t.Errorf("%d bytes, trailers %v", n, r.Trailer)
		}
	})
	req, _ := http.NewRequestWithContext(t.Context(), "POST", to+"/?q=1", strings.NewReader("hello"))
	req.Header.Set("Authorization", "dummy")
	req.Trailer = http.Header{"X-Api-Key": {"dummy"}}
	req.ContentLength = -1
	before := fmt.Sprintf("%v %v %v", req.URL, req.Header, req.Trailer)
	resp, err := b.Do(req, Use{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if after := fmt.Sprintf("%v %v %v", req.URL, req.Header, req.Trailer); after != before || resp.Request != req {
		t.Errorf("%s became %s", before, after)
	}
}
