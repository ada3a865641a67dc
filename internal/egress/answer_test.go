// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestLimits(t *testing.T) {
	b := newBed(t)
	next := make(chan struct{})
	url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/big":
			io.WriteString(w, strings.Repeat("x", 1000))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(make([]byte, 1<<20))
			z.Close()
		case "/stream":
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			for range 3 {
				io.WriteString(w, "data: "+strings.Repeat("x", 500)+"\n\n")
				w.(http.Flusher).Flush()
				<-next
			}
		case "/slow":
			<-r.Context().Done()
		}
	})
	c := b.limited(Limits{Body: 999})
	for _, p := range []string{"/big", "/bomb"} {
		if _, body, err := get(t, c, url+p); !errors.Is(err, ErrTooLong) || len(body) > 999 {
			t.Errorf("%s: %d bytes, %v", p, len(body), err)
		}
	}
	if _, body, err := get(t, b.limited(Limits{Body: 1000}), url+"/big"); err != nil || len(body) != 1000 {
		t.Errorf("just as long: %d bytes, %v", len(body), err)
	}
	resp, err := c.Get(url + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2000)
	for i := range 3 { // each event comes before the next is sent
		n, err := io.ReadAtLeast(resp.Body, buf, 508)
		if err != nil || n != 508 {
			t.Errorf("event %d: %d bytes, %v", i, n, err)
		}
		next <- struct{}{}
	}
	resp.Body.Close()

	_, _, err = get(t, b.limited(Limits{Header: 20 * time.Millisecond}), url+"/slow")
	var timeout interface{ Timeout() bool }
	if !errors.As(err, &timeout) || !timeout.Timeout() || errors.Is(err, context.Canceled) {
		t.Errorf("slow: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", url+"/stream", nil)
	if resp, err = b.client().Do(req); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled amid a stream: %v", err)
	}
	resp.Body.Close()
	close(next)
}
