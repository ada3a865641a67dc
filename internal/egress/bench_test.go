// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// sample measures several ways to do the same in turns, so that what else the machine does hits them alike, and reports the median
// of each in microseconds.
func sample(b *testing.B, names []string, ways ...func() time.Duration) []float64 {
	b.Helper()
	all := make([][]time.Duration, len(ways))
	for range 50 {
		for _, way := range ways {
			way()
		}
	}
	for b.Loop() {
		for i, way := range ways {
			all[i] = append(all[i], way())
		}
	}
	b.ReportMetric(0, "ns/op") // of all together: says nothing
	p50 := make([]float64, len(ways))
	for i, times := range all {
		slices.Sort(times)
		p50[i] = float64(times[len(times)/2].Nanoseconds()) / 1e3
		b.ReportMetric(p50[i], names[i]+"-p50-µs")
	}
	return p50
}

func timed(b *testing.B, f func() error) func() time.Duration {
	return func() time.Duration {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
}

func drain(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// BenchmarkDo measures a request through the engine over the same request without one, and Session.Use alone: "beyond" is what
// is neither.
func BenchmarkDo(b *testing.B) {
	for _, size := range []int{100, 64 << 10} {
		b.Run(map[int]string{100: "answer=100B", 64 << 10: "answer=64KiB"}[size], func(b *testing.B) {
			bed := newBed(b)
			text := strings.Repeat("0123456789abcde\n", size/16+1)[:size]
			to := bed.upstream(b, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text) })
			plain := &http.Client{Transport: &http.Transport{}}
			request := func() *http.Request {
				req, _ := http.NewRequestWithContext(context.Background(), "GET", to+"/v1/search", nil)
				req.Header.Set("Authorization", "Bearer dummy")
				return req
			}
			client := bed.limited(Limits{Body: 64 << 20, Header: time.Minute})
			p50 := sample(b, []string{"plain", "engine", "use"},
				timed(b, func() error { return drain(plain.Do(request())) }),
				timed(b, func() error { return drain(client.Do(request())) }),
				timed(b, func() error {
					return bed.session.Use(context.Background(), vault.Request{Path: path, Reason: "a test", Call: "call-1", Method: "GET", URL: to + "/v1/search"}, func(vault.Item) error { return nil })
				}),
			)
			b.ReportMetric(p50[1]-p50[0]-p50[2], "beyond-p50-µs")
		})
	}
}

// BenchmarkFirstByte measures how long the first event of a stream takes through httputil.ReverseProxy: with its own transport, and
// with the engine as its transport.
func BenchmarkFirstByte(b *testing.B) {
	bed := newBed(b)
	to := bed.upstream(b, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: the first of many\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	upstream, err := url.Parse(to)
	if err != nil {
		b.Fatal(err)
	}
	through := func(transport http.RoundTripper) func() time.Duration {
		proxy := httptest.NewServer(&httputil.ReverseProxy{
			Transport: transport,
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		})
		b.Cleanup(proxy.Close)
		client := proxy.Client()
		return func() time.Duration {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "GET", proxy.URL+"/v1/stream", nil)
			start := time.Now()
			resp, err := client.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			defer resp.Body.Close()
			if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
				b.Fatal(err)
			}
			return time.Since(start)
		}
	}
	p50 := sample(b, []string{"proxy", "engine"},
		through(&http.Transport{}),
		through(bed.Transport(Use{Path: path, Reason: "a test"})),
	)
	b.ReportMetric(p50[1]-p50[0], "later-p50-µs")
}
