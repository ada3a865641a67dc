// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A panic before the answer is a 500, and one behind its beginning ends the connection: nobody takes a part for all.
func TestPanics(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow/written":
			io.WriteString(w, "a part")
		case "/slow/flushed":
			io.WriteString(w, "a part")
			w.(http.Flusher).Flush()
		case "/slow/headed":
			w.WriteHeader(http.StatusOK)
		case "/slow/early":
			w.WriteHeader(http.StatusEarlyHints)
		}
		panic(errors.New(canary))
	})
	inBubble(t, h, func(t *testing.T, l *pipes, b bed) {
		for _, c := range []struct {
			place string
			whole bool
		}{{"at-once", true}, {"early", true}, {"headed", false}, {"written", false}, {"flushed", false}} {
			conn := l.dial()
			fmt.Fprintf(conn, "GET /slow/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", c.place)
			said, _ := io.ReadAll(conn)
			conn.Close()
			r := bufio.NewReader(strings.NewReader(strings.TrimPrefix(string(said), "HTTP/1.1 103 Early Hints\r\n\r\n")))
			resp, err := http.ReadResponse(r, nil)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
			}
			if (err == nil) != c.whole || c.whole && resp.StatusCode != 500 || strings.Contains(string(said), canary) {
				t.Errorf("%s: %q, %v", c.place, said, err)
			}
		}
	})
}
