// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package server_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// As many connections as the process may have, each of which dawdles, keep nobody from being served.
func TestAttackManyConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("it opens up to 10,000 connections")
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	n := min(10_000, (int(limit.Cur)-500)/2) // both ends are in this process
	b := newBed(t, nil)
	b.upstream(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	addr := b.serve(t, nil)
	tok := b.token(t, "secrets:*:*")
	var all []net.Conn
	defer func() {
		for _, c := range all {
			c.Close()
		}
	}()
	for i := range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
		all = append(all, c)
		fmt.Fprintf(c, "POST /api/v1/get HTTP/1.1\r\nHost: localhost\r\n%s", []string{"", "X-A: b\r\n", "Content-Length: 100\r\n\r\n"}[i%3])
	}
	b.url = "http://" + addr
	var slowest atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				start := time.Now()
				resp, text := b.send(t, "POST", "/api/v1/get", `{"path":"`+path+`"}`, "Authorization: Bearer "+tok, "Content-Type: application/json")
				if resp.StatusCode != 200 || !strings.Contains(text, canary) {
					t.Errorf("%d %s", resp.StatusCode, text)
				}
				if resp, text := b.send(t, "GET", "/use/"+path+"/~/v1", "", "X-Api-Key: "+tok); resp.StatusCode != 200 || text != "ok" {
					t.Errorf("%d %s", resp.StatusCode, text)
				}
				slowest.Store(max(slowest.Load(), int64(time.Since(start))))
			}
		})
	}
	wg.Wait()
	t.Logf("%d connections; the slowest of 200 honest pairs of requests took %v", n, time.Duration(slowest.Load()).Round(time.Millisecond))
}
