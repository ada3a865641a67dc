// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package server_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/vault"
)

// BenchmarkGatewayFirstByte measures how long the first event of a stream takes through the gateway, through httputil.ReverseProxy
// alone, and how long a recorded use takes by itself, in turns: "beyond" is what is neither.
func BenchmarkGatewayFirstByte(b *testing.B) {
	bed := newBed(b, func(c *server.Config) { c.Rate, c.Burst = 1e9, 1e9 })
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
	plain := httptest.NewServer(&httputil.ReverseProxy{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) }})
	b.Cleanup(plain.Close)
	tok := bed.token(b, "secrets:use:production/*")
	session := bed.Session(vault.NewToken(tok), netip.MustParseAddr("127.0.0.1"))
	first := func(place string) func() time.Duration {
		return func() time.Duration {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "GET", place, nil)
			req.Header.Set("Authorization", "Bearer "+tok)
			start := time.Now()
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			defer resp.Body.Close()
			if _, err := resp.Body.Read(make([]byte, 1)); err != nil || resp.StatusCode != 200 {
				b.Fatal(resp.Status, err)
			}
			return time.Since(start)
		}
	}
	ways := []func() time.Duration{
		first(plain.URL + "/v1/stream"), first(bed.url + "/use/" + path + "/~/v1/stream"),
		func() time.Duration {
			start := time.Now()
			err := session.Use(context.Background(), vault.Request{Path: path, Method: "GET", URL: "/v1/stream"}, func(vault.Item) error { return nil })
			if err != nil {
				b.Fatal(err)
			}
			return time.Since(start)
		},
	}
	all := make([][]time.Duration, len(ways))
	for b.Loop() {
		for i, way := range ways {
			all[i] = append(all[i], way())
		}
	}
	b.ReportMetric(0, "ns/op")
	p50 := make([]float64, len(ways))
	for i, times := range all {
		slices.Sort(times)
		p50[i] = float64(times[len(times)/2].Nanoseconds()) / 1e3
		b.ReportMetric(p50[i], []string{"proxy", "gateway", "use"}[i]+"-p50-µs")
	}
	b.ReportMetric(p50[1]-p50[0]-p50[2], "beyond-p50-µs")
}

// BenchmarkAPIGet measures a get over HTTP, recorded durably on SQLite, beside a bare handler that commits a line of the same length
// to SQLite, raw and in groups, with 8 clients each, in turns: the ratio is the median over the turns. "bare" is net/http that
// commits nothing, "door" the same Get without HTTP.
func BenchmarkAPIGet(b *testing.B) {
	const clients = 8
	dir := b.TempDir()
	store, err := sqlite.Open(b.Context(), filepath.Join(dir, "vault.db"))
	if err != nil {
		b.Fatal(err)
	}
	v, err := vault.Open(b.Context(), vault.Config{Store: store, Root: kms.KeyFile(filepath.Join(dir, "root.key"))})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { v.Close() })
	op := v.Operator("bench")
	if _, err := op.Put(b.Context(), vault.Item{Path: path, Value: vault.NewSecret(strings.Repeat("v", 64))}); err != nil {
		b.Fatal(err)
	}
	s, err := op.Issue(b.Context(), vault.Grant{Agent: "researcher", Run: "r7", Scopes: scope.MustParse("secrets:read:production/*"), TTL: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	addr := bed{Vault: v, op: op}.serve(b, func(c *server.Config) { c.Rate, c.Burst = 1e9, 1e9 })
	raw := newRawLog(b, filepath.Join(dir, "raw.db"))
	line := strings.Repeat("x", 350)
	bare := func(commit bool) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if commit {
				if err := raw.commit(line); err != nil {
					http.Error(w, "", 500)
				}
			}
			io.WriteString(w, strings.Repeat("v", 300))
		}))
		b.Cleanup(s.Close)
		return s.URL
	}
	const body = `{"path":"` + path + `","reason":"search the web for what the user asked, second try of three"}`
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	post := func(place string) func() error {
		return func() error {
			req, _ := http.NewRequestWithContext(context.Background(), "POST", place, strings.NewReader(body))
			req.Header.Set("Authorization", "Bearer "+s.Token().Reveal())
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
				return fmt.Errorf("%s %w", resp.Status, err)
			}
			return nil
		}
	}
	ways := []func() error{post("http://" + addr + "/api/v1/get"), post(bare(true)), post(bare(false)), func() error {
		_, err := s.Get(context.Background(), vault.Request{Path: path, Reason: "search the web for what the user asked, second try of three"})
		return err
	}}
	all := make([][]float64, len(ways))
	var ratios []float64
	for b.Loop() {
		for turn := range 60 { // short, since the disk is as fast as what else it has to do lets it
			for i, way := range ways {
				if i < 2 || turn%10 == 0 {
					all[i] = append(all[i], callsPerSecond(b, clients, way))
				}
			}
			n := len(all[0]) - 1
			ratios = append(ratios, all[0][n]/all[1][n])
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, name := range []string{"api", "raw", "bare", "door"} {
		slices.Sort(all[i])
		b.ReportMetric(all[i][len(all[i])/2], name+"/s")
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "api/raw")
}

func callsPerSecond(b *testing.B, clients int, call func() error) float64 {
	counts := make([]int, clients)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range clients {
		wg.Go(func() {
			for time.Since(start) < 50*time.Millisecond {
				if err := call(); err != nil {
					b.Error(err)
					return
				}
				counts[i]++
			}
		})
	}
	wg.Wait()
	n := 0
	for _, c := range counts {
		n += c
	}
	return float64(n) / time.Since(start).Seconds()
}

// rawLog is group commit as a careful programmer writes it, as in the benchmarks of backend/sqlite.
type rawLog struct {
	ops chan rawOp
}

type rawOp struct {
	line string
	done chan error
}

func newRawLog(b *testing.B, file string) *rawLog {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=secure_delete(on)&_pragma=temp_store(memory)")
	if err != nil {
		b.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE log (seq INTEGER PRIMARY KEY, line TEXT NOT NULL)"); err != nil {
		b.Fatal(err)
	}
	c, err := db.Conn(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	insert := map[int]*sql.Stmt{}
	r := &rawLog{make(chan rawOp, 1024)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for op := range r.ops {
			batch := []rawOp{op}
			for len(r.ops) > 0 && len(batch) < 32 {
				batch = append(batch, <-r.ops)
			}
			err := func() error {
				ctx := context.Background()
				n := len(batch)
				if insert[n] == nil {
					if insert[n], err = c.PrepareContext(ctx, "INSERT INTO log (line) VALUES (?)"+strings.Repeat(", (?)", n-1)); err != nil {
						return err
					}
				}
				args := make([]any, n)
				for i := range args {
					args[i] = batch[i].line
				}
				_, err := insert[n].ExecContext(ctx, args...)
				return err
			}()
			for _, op := range batch {
				op.done <- err
			}
		}
	})
	b.Cleanup(func() { close(r.ops); wg.Wait(); c.Close(); db.Close() })
	return r
}

func (r *rawLog) commit(line string) error {
	op := rawOp{line, make(chan error, 1)}
	r.ops <- op
	return <-op.done
}
