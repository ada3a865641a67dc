// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/server"
)

// shows reports whether text holds the value, in any form that a caller could undo.
func shows(text string) string {
	for _, form := range []string{
		canary, url.QueryEscape(canary), url.PathEscape(canary), hex.EncodeToString([]byte(canary)), strings.ToUpper(hex.EncodeToString([]byte(canary))), strings.ReplaceAll(canary, "/", `\/`),
		base64.StdEncoding.EncodeToString([]byte(canary))[:24], base64.StdEncoding.EncodeToString([]byte("x" + canary))[4:24], base64.StdEncoding.EncodeToString([]byte("xy" + canary))[4:24],
	} {
		if strings.Contains(text, form) {
			return form
		}
	}
	return ""
}

// However an upstream shows the key, the caller does not see it. Interim answers do not come through at all.
func TestAttackEchoes(t *testing.T) {
	b := newBed(t, nil)
	echoes := map[string]func(w http.ResponseWriter, key string){
		"header":        func(w http.ResponseWriter, key string) { w.Header().Set("X-Debug", "you sent "+key) },
		"header's name": func(w http.ResponseWriter, key string) { w.Header()[hex.EncodeToString([]byte(key))] = []string{"x"} },
		"cookie": func(w http.ResponseWriter, key string) {
			w.Header().Set("Set-Cookie", "k="+url.QueryEscape(key)+"; Path=/")
		},
		"content type": func(w http.ResponseWriter, key string) { w.Header().Set("Content-Type", "text/plain; k="+key) },
		"ETag": func(w http.ResponseWriter, key string) {
			w.Header().Set("ETag", `"`+hex.EncodeToString([]byte(key))+`"`)
		},
		"www-authenticate": func(w http.ResponseWriter, key string) {
			w.Header().Set("WWW-Authenticate", `Bearer error="`+key+`"`)
			w.WriteHeader(401)
		},
		"location": func(w http.ResponseWriter, key string) {
			w.Header().Set("Location", "/next?k="+url.QueryEscape(key))
			w.WriteHeader(302)
		},
		"location of a 201": func(w http.ResponseWriter, key string) {
			w.Header().Set("Location", "https://elsewhere.example/"+url.PathEscape(key))
			w.WriteHeader(201)
		},
		"trailer": func(w http.ResponseWriter, key string) {
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, "body")
			w.Header().Set("X-Sum", key)
		},
		"trailer that nobody announced": func(w http.ResponseWriter, key string) {
			io.WriteString(w, "body")
			w.Header().Set(http.TrailerPrefix+"X-Sum", key)
		},
		"early hints": func(w http.ResponseWriter, key string) {
			w.Header().Set("Link", "</style.css?k="+key+">; rel=preload")
			w.Header().Set("X-Key", key)
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("X-Key")
			w.Header().Del("Link")
			io.WriteString(w, "body")
		},
		"processing": func(w http.ResponseWriter, key string) {
			w.Header().Set("X-Key", key)
			w.WriteHeader(http.StatusProcessing)
			w.Header().Del("X-Key")
		},
		"body":       func(w http.ResponseWriter, key string) { fmt.Fprintf(w, "<%s> %x %q", key, key, key) },
		"error page": func(w http.ResponseWriter, key string) { http.Error(w, key, 500) },
		"with length": func(w http.ResponseWriter, key string) {
			w.Header().Set("Content-Length", fmt.Sprint(len(key)))
			io.WriteString(w, key)
		},
		"a byte a time": func(w http.ResponseWriter, key string) {
			for _, c := range []byte("before " + key + " behind") {
				w.Write([]byte{c})
				w.(http.Flusher).Flush()
			}
		},
		"events in pieces": func(w http.ResponseWriter, key string) {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range key {
				fmt.Fprintf(w, "%s", ("data: " + key)[i:i+1])
				w.(http.Flusher).Flush()
			}
			io.WriteString(w, key[len(key)-6:]+"\n\ndata: "+base64.StdEncoding.EncodeToString([]byte(key))+"\n\n")
		},
		"gzip, not asked for": func(w http.ResponseWriter, key string) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, key)
			z.Close()
		},
		"brotli": func(w http.ResponseWriter, key string) {
			w.Header().Set("Content-Encoding", "br")
			io.WriteString(w, key)
		},
		"two encodings": func(w http.ResponseWriter, key string) {
			w.Header()["Content-Encoding"] = []string{"gzip", "gzip"}
			z := gzip.NewWriter(w)
			io.WriteString(z, key)
			z.Close()
		},
	}
	var echo func(w http.ResponseWriter, key string)
	b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		echo(w, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	})
	tok := b.token(t, "secrets:use:production/*")
	for name, f := range echoes {
		echo = f
		interim := 0
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			interim++
			return nil
		}})
		req, err := http.NewRequestWithContext(ctx, "GET", b.url+"/use/"+path+"/~/v1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+tok)
		req.Header.Set("Accept-Encoding", "gzip, br")
		resp, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(name, err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if form := shows(fmt.Sprint(resp.Status, resp.Header, resp.Trailer, string(body))); form != "" || err != nil || interim > 0 {
			t.Errorf("%s: shows %q, %d interim answers, %v: %s %v %v %q", name, form, interim, err, resp.Status, resp.Header, resp.Trailer, body)
		}
		if resp.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: encoded", name)
		}
	}
}

// Answers that are none do not get through, and say nothing.
func TestAttackRawAnswers(t *testing.T) {
	b := newBed(t, nil)
	addr := b.serve(t, nil)
	tok := b.token(t, "secrets:use:production/*")
	for name, answer := range map[string]string{
		"nothing":              "\r\n",
		"no HTTP":              "SSH-2.0-$KEY\r\n",
		"status 99":            "HTTP/1.1 099 $KEY\r\nContent-Length: 0\r\n\r\n",
		"status 0":             "HTTP/1.1 000 $KEY\r\nContent-Length: 0\r\n\r\n",
		"status of four":       "HTTP/1.1 2000 $KEY\r\n\r\n",
		"switches":             "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: $KEY\r\n\r\n$KEY",
		"early hints for ever": strings.Repeat("HTTP/1.1 103 Early Hints\r\nX-Key: $KEY\r\n\r\n", 50000) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"broken field":         "HTTP/1.1 200 OK\r\n$KEY\r\n\r\n",
		"two lengths":          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\nX: $KEY\r\n\r\nhello",
		"broken encoding":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: $KEY\r\n\r\n",
		"header of 2 MB":       "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("$KEY", 100_000) + "\r\n\r\n",
	} {
		b.rawUpstream(t, answer)
		statuses, said := exchange(t, addr, "GET /use/"+path+"/~/v1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer "+tok+"\r\n\r\n")
		if len(statuses) != 1 || statuses[0] != http.StatusBadGateway || shows(said) != "" {
			t.Errorf("%s: %v %q", name, statuses, said)
		}
	}
	// What breaks off on the way is seen to.
	for name, answer := range map[string]string{
		"short":            "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello $KEY",
		"short chunk":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n50\r\n$KEY",
		"broken chunk":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n$KEY\r\n",
		"broken gzip":      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 24\r\n\r\n$KEY",
		"no end of chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	} {
		b.brokenUpstream(t, answer)
		_, said := exchange(t, addr, "GET /use/"+path+"/~/v1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+tok+"\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(said)), nil)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		if err == nil && resp.StatusCode == 200 || shows(said) != "" {
			t.Errorf("%s: looks whole: %q", name, said)
		}
	}
}

// A worker that goes away ends its request at the upstream.
func TestCancelReachesTheUpstream(t *testing.T) {
	b := newBed(t, nil)
	began, ended := make(chan struct{}), make(chan struct{})
	b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: the first of many\n\n")
		w.(http.Flusher).Flush()
		close(began)
		<-r.Context().Done()
		close(ended)
	})
	ctx, cancel := context.WithCancel(context.Background())
	req, _ := http.NewRequestWithContext(ctx, "GET", b.url+"/use/"+path+"/~/v1", nil)
	req.Header.Set("X-Api-Key", b.token(t, "secrets:use:production/*"))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || line != "data: the first of many\n" {
		t.Fatalf("%q, %v", line, err)
	}
	<-began
	cancel()
	<-ended
	resp.Body.Close()
	if r := b.last(t); r.Op != "use" || r.Outcome != audit.Granted {
		t.Errorf("recorded as %+v", r)
	}
}

// Bodies go up as they come, and so do answers: the gateway holds neither back.
func TestGatewayStreamsBothWays(t *testing.T) {
	b := newBed(t, nil)
	b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintf(w, "got %s\n", lines.Text())
			w.(http.Flusher).Flush()
		}
	})
	tok := b.token(t, "secrets:use:production/*")
	in, out := io.Pipe()
	req, _ := http.NewRequestWithContext(context.Background(), "POST", b.url+"/use/"+path+"/~/v1", in)
	req.Header.Set("Authorization", "Bearer "+tok)
	answer := make(chan *http.Response)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
		}
		answer <- resp
	}()
	fmt.Fprintln(out, "one")
	resp := <-answer
	if resp == nil {
		return
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for _, word := range []string{"one", "two", "three"} {
		if word != "one" {
			fmt.Fprintln(out, word)
		}
		if line, err := lines.ReadString('\n'); err != nil || line != "got "+word+"\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	out.Close()
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

// An answer that comes as soon as the request is there is whole, however often.
func TestGatewayQuickAnswers(t *testing.T) {
	b := newBed(t, func(c *server.Config) { c.Rate, c.Burst = 1e6, 1e6 })
	text := strings.Repeat("an answer ", 5000)
	b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for part := range strings.SplitAfterSeq(text, "r ") {
			_, _ = io.WriteString(w, part)
		}
	})
	tok := b.token(t, "secrets:use:production/*")
	var wg sync.WaitGroup
	for range 8 {
		client := &http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		wg.Go(func() {
			for range 50 {
				req, _ := http.NewRequestWithContext(t.Context(), "POST", b.url+"/use/"+path+"/~/v1", strings.NewReader(strings.Repeat("hello ", 500)))
				req.Header.Set("Authorization", "Bearer "+tok)
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK || len(got) != len(text) {
					t.Errorf("%d, %d bytes of %d: %v", resp.StatusCode, len(got), len(text), err)
				}
			}
		})
	}
	wg.Wait()
}
