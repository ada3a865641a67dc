// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync"
	"testing"

	"github.com/keyward-go/keyward/agent/redact"
)

// A hook in the context of the caller would be shown the header.
func TestTraceSeesNothing(t *testing.T) {
	b := newBed(t)
	url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteHeaderField: func(key string, value []string) { t.Errorf("seen: %s: %q", key, value) }})
	req, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
	if _, _, err := do(b.client(), req); err != nil {
		t.Fatal(err)
	}
}

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
