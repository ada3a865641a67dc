// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// inBubble gives the engine an upstream behind pipes, so that time is the bubble's.
func inBubble(t *testing.T, h http.HandlerFunc, f func(t *testing.T, b bed)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.policy(t, vault.Policy{Hosts: []string{"http://upstream.example"}, Networks: loopback})
		upstream := &http.Server{Handler: h}
		transport := b.pool.of("", path, loopback)
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go upstream.Serve(&one{conn: there})
			return here, nil
		}
		f(t, b)
		transport.CloseIdleConnections()
		upstream.Close()
	})
}

// one is a listener that accepts one connection.
type one struct{ conn net.Conn }

func (o *one) Accept() (net.Conn, error) {
	if o.conn == nil {
		return nil, net.ErrClosed
	}
	c := o.conn
	o.conn = nil
	return c, nil
}

func (o *one) Close() error   { return nil }
func (o *one) Addr() net.Addr { return &net.UnixAddr{} }

// A stream lasts as long as it likes once its header is there, however silent it is; the limit is of the header alone.
func TestLongStream(t *testing.T) {
	inBubble(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(9 * time.Minute)
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 11 {
			fmt.Fprintf(w, "data: %d %s\n\n", i, r.Header.Get("Authorization"))
			http.NewResponseController(w).Flush()
			time.Sleep(time.Minute)
		}
	}, func(t *testing.T, b bed) {
		start := time.Now()
		resp, err := b.limited(Limits{Header: 10 * time.Minute}).Get("/v1/stream")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		for i := range 11 {
			if !lines.Scan() || lines.Text() != fmt.Sprintf("data: %d Bearer [redacted]", i) || time.Since(start) != time.Duration(9+i)*time.Minute {
				t.Fatalf("%q, %v, after %v", lines.Text(), lines.Err(), time.Since(start))
			}
			lines.Scan()
		}
		if lines.Scan() || lines.Err() != nil || time.Since(start) != 20*time.Minute {
			t.Errorf("%v after %v", lines.Err(), time.Since(start))
		}
	})
}

// A caller that goes away after an hour ends the stream at the upstream.
func TestLongStreamIsCancelled(t *testing.T) {
	ended := make(chan time.Time, 1)
	inBubble(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "data: the first of many\n\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
		ended <- time.Now()
	}, func(t *testing.T, b bed) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		start := time.Now()
		req, _ := http.NewRequestWithContext(ctx, "GET", "/v1/stream", nil)
		resp, err := b.client().Transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if at := <-ended; at.Sub(start) != time.Hour {
			t.Errorf("the upstream saw it after %v", at.Sub(start))
		}
	})
}
