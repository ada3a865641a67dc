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
	"testing/synctest"
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

// The wait for a header ends with the header, not with the answer.
func TestHeaderWait(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		ctx, end := bare(t.Context(), time.Second)
		end.stopTimer()
		time.Sleep(time.Hour)
		if ctx.Err() != nil {
			t.Error(context.Cause(ctx))
		}
		end.now()
		if ctx.Err() == nil {
			t.Error("it goes on")
		}
		ctx, _ = bare(t.Context(), time.Second)
		time.Sleep(time.Hour)
		if context.Cause(ctx) != errSlow {
			t.Error(context.Cause(ctx))
		}
		outer, cancel := context.WithDeadline(context.WithValue(t.Context(), key{}, "value"), time.Now().Add(time.Second))
		defer cancel()
		ctx, _ = bare(outer, 0)
		time.Sleep(time.Hour)
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) || ctx.Value(key{}) != nil {
			t.Error(ctx.Err(), ctx.Value(key{}))
		}
	})
}

// Who closes an answer, or reads it to its end, or lets its context end, ends the request at the upstream.
func TestUpstreamIsLetGo(t *testing.T) {
	for name, leave := range map[string]func(*http.Response, context.CancelFunc){
		"close":  func(r *http.Response, _ context.CancelFunc) { r.Body.Close() },
		"cancel": func(_ *http.Response, cancel context.CancelFunc) { cancel() },
	} {
		b := newBed(t)
		gone := make(chan struct{})
		url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			close(gone)
		})
		ctx, cancel := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
		resp, err := b.client().Do(req)
		if err != nil {
			t.Fatal(name, err)
		}
		leave(resp, cancel)
		<-gone
		resp.Body.Close()
		cancel()
	}
}

// httputil.ReverseProxy compares the errors of a body with context.Canceled: what net/http gives bare is given bare.
func TestEndOfContextAmidBody(t *testing.T) {
	b := newBed(t)
	url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
	resp, err := b.client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	cancel()
	if _, err := resp.Body.Read(make([]byte, 1)); err != context.Canceled {
		t.Errorf("%v", err)
	}
}
