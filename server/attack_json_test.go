// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
)

// attackBodies are bodies that have two readings, or none. Each is for get.
func attackBodies() map[string]string {
	zipped := new(bytes.Buffer)
	z := gzip.NewWriter(zipped)
	fmt.Fprintf(z, `{"path":%q}`, path)
	z.Close()
	return map[string]string{
		"nothing": "", "white space": " \n", "null": "null", "true": "true", "a number": "1", "a string": `"a"`, "an array": `[]`, "an array of one": `[{"path":"` + path + `"}]`,
		"duplicate key": `{"path":"staging/a","path":"` + path + `"}`, "duplicate key, escaped": `{"path":"staging/a","p\u0061th":"` + path + `"}`,
		"duplicate key within": `{"path":"` + path + `","metadata":{"a":"1","a":"2"}}`,
		"upper case":           `{"PATH":"` + path + `"}`, "two cases": `{"path":"staging/a","PATH":"` + path + `"}`, "title case": `{"Path":"` + path + `"}`,
		"long s": `{"path":"` + path + `","ver\u017fion":1}`, "Kelvin sign": `{"path":"` + path + `","call":"","\u212Aey":1}`,
		"unknown key": `{"path":"` + path + `","secret":true}`, "empty key": `{"path":"` + path + `","":1}`, "NUL behind the key": `{"path\u0000":"` + path + `"}`,
		"raw NUL in a key": "{\"path\x00\":\"" + path + "\"}", "__proto__": `{"path":"` + path + `","__proto__":{}}`,
		"behind it": `{"path":"` + path + `"}{}`, "a word behind it": `{"path":"` + path + `"}x`, "two lines": "{\"path\":\"" + path + "\"}\n{\"path\":\"staging/a\"}",
		"comment": `{"path":"` + path + `"/**/}`, "trailing comma": `{"path":"` + path + `",}`, "single quotes": `{'path':'` + path + `'}`, "BOM": "\ufeff" + `{"path":"` + path + `"}`,
		"cut short": `{"path":"` + path + `"`, "UTF-16": "{\x00\"\x00p\x00", "invalid UTF-8": "{\"path\":\"" + path + "\",\"reason\":\"\xff\"}", "overlong UTF-8": "{\"path\":\"production\xc0\xafllm/key\"}",
		"invalid UTF-8 in a key": "{\"path\":\"" + path + "\",\"metadata\":{\"\xff\":\"\"}}", "lone surrogate": `{"path":"` + path + `","reason":"\ud800"}`,
		"null path": `{"path":null}`, "null version": `{"path":"` + path + `","version":null}`, "null within": `{"path":"` + path + `","metadata":{"a":null}}`,
		"path of another type": `{"path":["` + path + `"]}`, "version as text": `{"path":"` + path + `","version":"1"}`, "version with a fraction": `{"path":"` + path + `","version":1.5}`,
		"version as a float": `{"path":"` + path + `","version":1e0}`, "version below zero": `{"path":"` + path + `","version":-1}`, "version 2^63": `{"path":"` + path + `","version":9223372036854775808}`,
		"version 2^64+1": `{"path":"` + path + `","version":18446744073709551617}`, "version 1e308": `{"path":"` + path + `","version":1e308}`, "NaN": `{"path":"` + path + `","version":NaN}`,
		"gzip": zipped.String(), "deep": strings.Repeat("[", 60<<10), "deep within": `{"path":"` + path + `","metadata":` + strings.Repeat(`{"a":`, 10000) + `1` + strings.Repeat("}", 10000) + `}`,
		"many keys": `{"path":"` + path + `","metadata":{` + manyKeys(4000) + `}}`,
	}
}

func manyKeys(n int) string {
	b := new(strings.Builder)
	for i := range n {
		fmt.Fprintf(b, `,"%d":""`, i)
	}
	return b.String()[1:]
}

// What has two readings is refused, and recorded once.
func TestAttackBodies(t *testing.T) {
	b := newMatrixBed(t)
	tok := b.token(t, "secrets:*:*")
	for name, body := range attackBodies() {
		w, records := b.ask("get", tok, "127.0.0.1:9", body, "")
		if w.Code != 400 || !strings.HasPrefix(w.Body.String(), `{"error":{"code":"invalid"`) || strings.Contains(w.Body.String(), canary) || w.Body.Len() > 400 {
			t.Errorf("%s: %d %.300s", name, w.Code, w.Body)
		}
		if len(records) != 1 || records[0].Outcome != audit.Denied || records[0].Cause != "invalid" {
			t.Errorf("%s: recorded as %+v", name, records)
		}
	}
	w, _ := b.ask("get", tok, "127.0.0.1:9", ` {"version":1, "path": "`+path+`"} `, "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), canary) {
		t.Errorf("the control: %d %s", w.Code, w.Body)
	}
}

// Content types that a page can send without asking first, and encodings that could hide something.
func TestAttackContentTypes(t *testing.T) {
	b := newMatrixBed(t)
	tok := b.token(t, "secrets:*:*")
	for _, c := range []struct {
		kind, encoding string
		status         int
	}{
		{"", "", 415}, {"text/plain", "", 415}, {"application/x-www-form-urlencoded", "", 415}, {"multipart/form-data; boundary=x", "", 415},
		{"application/json, text/plain", "", 415}, {"text/plain; application/json", "", 415}, {"application/jsonp", "", 415}, {"application/json;", "", 200},
		{"application/json", "gzip", 415}, {"application/json", "identity", 415}, {"application/json", "GZIP, br", 415},
		{"application/json", "", 200}, {"Application/JSON; charset=utf-8", "", 200},
	} {
		b.next()
		r := httptest.NewRequest("POST", "http://localhost/api/v1/get", strings.NewReader(`{"path":"`+path+`"}`))
		r.Header.Set("Authorization", "Bearer "+tok)
		if c.kind != "" {
			r.Header.Set("Content-Type", c.kind)
		}
		if c.encoding != "" {
			r.Header.Set("Content-Encoding", c.encoding)
		}
		w := httptest.NewRecorder()
		b.api.ServeHTTP(w, r)
		if n := len(b.log.take()); w.Code != c.status || n != 1 {
			t.Errorf("%q %q: %d %s, %d records", c.kind, c.encoding, w.Code, w.Body, n)
		}
	}
}

// endless is a body of which it is counted what was read.
type endless struct {
	piece  string
	at     int
	size   int64
	read   int64
	opened string
}

func (e *endless) Read(p []byte) (n int, err error) {
	if e.read >= e.size {
		return 0, io.EOF
	}
	if e.opened != "" {
		n = copy(p, e.opened)
		e.opened = e.opened[n:]
	}
	for n < len(p) {
		c := copy(p[n:], e.piece[e.at:])
		n, e.at = n+c, (e.at+c)%len(e.piece)
	}
	e.read += int64(n)
	return n, nil
}

// A huge body costs no more than its limit, said or not, by a caller or a stranger.
func TestAttackHugeBodies(t *testing.T) {
	b := newMatrixBed(t)
	tok := b.token(t, "secrets:*:*")
	b.next()
	for _, c := range []struct {
		name, op, bearer, opened, piece string
		said                            bool // in Content-Length
		limit                           int64
	}{
		{"1 GB", "get", tok, "", "x", false, 64 << 10},
		{"1 GB, said", "get", tok, "", "x", true, 0},
		{"1 GB of a value", "put", tok, `{"path":"a","value":"`, "x", false, 2 << 20},
		{"1 GB of white space", "put", tok, "", " ", false, 2 << 20},
		{"10^6 arrays", "put", tok, "", "[", false, 2 << 20},
		{"10^6 keys", "put", tok, `{"a":1`, `,"a":1`, false, 2 << 20},
		{"1 GB of a stranger", "put", "kw_tok_x", "", "x", false, 0},
	} {
		body := &endless{piece: c.piece, size: 1 << 30, opened: c.opened}
		r := httptest.NewRequest("POST", "http://localhost/api/v1/"+c.op, io.NopCloser(body))
		r.ContentLength = -1
		if c.said {
			r.ContentLength = body.size
		}
		r.Header.Set("Authorization", "Bearer "+c.bearer)
		r.Header.Set("Content-Type", "application/json")
		var start, end runtime.MemStats
		runtime.ReadMemStats(&start)
		began := time.Now()
		w := httptest.NewRecorder()
		b.api.ServeHTTP(w, r)
		took := time.Since(began)
		runtime.ReadMemStats(&end)
		if w.Code != 413 && c.bearer == tok || body.read > c.limit+64<<10 {
			t.Errorf("%s: %d, %d bytes read", c.name, w.Code, body.read)
		}
		t.Logf("%s: %d in %v, %d KiB read, %d KiB allocated in all", c.name, w.Code, took.Round(time.Microsecond), body.read>>10, (end.TotalAlloc-start.TotalAlloc)>>10)
	}
	for _, r := range b.log.take() {
		if r.Outcome == audit.Granted {
			t.Errorf("recorded as %+v", r)
		}
	}
}

// Within the limit, too, depth and number are bounded.
func TestAttackBodiesWithinTheLimit(t *testing.T) {
	b := newMatrixBed(t)
	tok := b.token(t, "secrets:*:*")
	for name, body := range map[string]string{
		"10^6 arrays": strings.Repeat("[", 1e6),
		"10^6 keys":   `{"path":"a","metadata":{` + manyKeys(1.5e5) + `}}`,
		"a long key":  `{"` + strings.Repeat("k", 1<<20) + `":1}`,
		"10^6 equal":  `{"path":"a"` + strings.Repeat(`,"a":1`, 3e5) + `}`,
	} {
		began := time.Now()
		w, records := b.ask("put", tok, "127.0.0.1:9", body, "")
		if w.Code != 400 || w.Body.Len() > 400 || len(records) != 1 || records[0].Outcome != audit.Denied {
			t.Errorf("%s: %d %.300s %+v", name, w.Code, w.Body, records)
		}
		t.Logf("%s: %v", name, time.Since(began).Round(time.Microsecond))
	}
}

// A put says its value: an empty one is a value, none is not.
func TestPutSaysItsValue(t *testing.T) {
	b := newMatrixBed(t)
	tok := b.token(t, "secrets:*:*")
	for _, c := range []struct {
		body   string
		status int
	}{
		{`{"path":"a/b"}`, 400}, {`{"path":"a/b","value":null}`, 400}, {`{"path":"a/b","value":"x","encoding":"base64"}`, 400}, {`{"path":"a/b","value":"x","created":""}`, 400},
		{`{"path":"a/b","value":""}`, 200},
	} {
		if w, _ := b.ask("put", tok, "127.0.0.1:9", c.body, ""); w.Code != c.status {
			t.Errorf("%s: %d %s", c.body, w.Code, w.Body)
		}
	}
	if w, _ := b.ask("get", tok, "127.0.0.1:9", `{"path":"a/b"}`, ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"value":""`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
