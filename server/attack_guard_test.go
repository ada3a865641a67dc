// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/vault"
)

// places are one of each surface, where a good token gets an answer.
var places = []struct{ method, place, body string }{
	{"POST", "/api/v1/get", `{"path":"` + path + `"}`},
	{"POST", "/use/" + path + "/~/v1", ""},
	{"GET", "/use/" + path + "/~/v1", ""},
}

// try sends a request of a caller to the front that its place belongs to.
func (b matrixBed) try(method, target, body, from string, change func(*http.Request)) (*httptest.ResponseRecorder, []audit.Record) {
	b.next()
	r := httptest.NewRequest(method, "http://localhost/", strings.NewReader(body))
	u, err := url.ParseRequestURI(target)
	if err != nil {
		panic(err)
	}
	r.URL, r.RequestURI, r.RemoteAddr = u, target, from
	r.Header.Set("Content-Type", "application/json")
	change(r)
	w := httptest.NewRecorder()
	server.Route(map[string]http.Handler{"/use/": b.gateway, "/": b.api}).ServeHTTP(w, r)
	return w, b.log.take()
}

// A page reaches no surface: not by a name of its own, nor from another origin.
func TestAttackPages(t *testing.T) {
	b := newMatrixBed(t)
	tok := b.token(t, "secrets:*:*")
	n := 0
	for _, host := range []string{"localhost", "127.0.0.1:7423", "[::1]:7423", "evil.example", "evil.example:7423", "127.0.0.1.evil.example", "localhost.", "127.1", "0.0.0.0", "2130706433", "[::ffff:127.0.0.1]", ""} {
		for _, origin := range []string{"-", "null", "https://evil.example", "http://localhost:3000", "http://127.0.0.1", "file://", "http://localhost.evil.example", ""} {
			for _, site := range []string{"-", "none", "same-origin", "same-site", "cross-site", "x"} {
				for _, p := range places {
					w, records := b.try(p.method, p.place, p.body, "127.0.0.1:9", func(r *http.Request) {
						r.Host = host
						r.Header.Set("Authorization", "Bearer "+tok)
						if origin != "-" {
							r.Header.Set("Origin", origin)
						}
						if site != "-" {
							r.Header.Set("Sec-Fetch-Site", site)
						}
					})
					n++
					served := host == "localhost" || host == "127.0.0.1:7423" || host == "[::1]:7423"
					if origin != "-" && origin != "" { // none of these is the origin of the front itself
						served = false
					}
					if site != "-" && site != "none" && site != "same-origin" {
						served = false
					}
					if origin == "http://127.0.0.1" && host == "127.0.0.1" {
						served = true
					}
					if served != (w.Code == 200) || !served && w.Code != 403 || len(records) != 1 || (records[0].Outcome == audit.Granted) != served {
						t.Errorf("%s %s, Host %q, Origin %q, Sec-Fetch-Site %q: %d %s %+v", p.method, p.place, host, origin, site, w.Code, w.Body, records)
					}
				}
			}
		}
	}
	t.Logf("%d requests", n)
	for _, twice := range []string{"Origin", "Sec-Fetch-Site"} {
		w, _ := b.try("POST", "/api/v1/get", places[0].body, "127.0.0.1:9", func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+tok)
			r.Header[twice] = []string{"", "https://evil.example"}
		})
		if w.Code != 403 {
			t.Errorf("%s twice: %d", twice, w.Code)
		}
	}
}

// Only the connection says where a caller is.
func TestAttackForwarded(t *testing.T) {
	b := newMatrixBed(t)
	home := b.issue(t, vault.Grant{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	for _, name := range []string{
		"X-Forwarded-For", "Forwarded", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Cluster-Client-Ip", "Fastly-Client-Ip", "X-Forwarded", "Forwarded-For", "X-Originating-Ip",
		"X-Remote-Ip", "X-Remote-Addr", "Via", "X-Forwarded-Host", "X-Host", "X_forwarded_for", "X-Envoy-External-Address",
	} {
		for _, value := range []string{"10.0.0.1", "::ffff:10.0.0.1", "10.0.0.1, 127.0.0.1", "for=10.0.0.1", `for="[::ffff:10.0.0.1]"`} {
			for _, p := range places {
				w, records := b.try(p.method, p.place, p.body, "192.168.0.1:9", func(r *http.Request) {
					r.Header.Set("Authorization", "Bearer "+home)
					r.Header[name] = []string{value}
				})
				if w.Code != 401 || len(records) != 1 || records[0].Cause != "network" || records[0].Addr != "192.168.0.1" {
					t.Errorf("%s: %s, %s: %d %s %+v", name, value, p.place, w.Code, w.Body, records)
				}
			}
		}
	}
	for from, want := range map[string]int{"10.0.0.1:9": 200, "[::ffff:10.0.0.1]:9": 200, "[::ffff:11.0.0.1]:9": 401, "[::10.0.0.1]:9": 401, "[64:ff9b::a00:1]:9": 401, "[2002:a00:1::]:9": 401, "@": 401, "": 401, "10.0.0.1": 401, "[::ffff:10.0.0.1%1]:9": 200} {
		for _, p := range places {
			w, records := b.try(p.method, p.place, p.body, from, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+home) })
			if w.Code != want || len(records) != 1 || strings.Contains(records[0].Addr, "ffff") {
				t.Errorf("from %s, %s: %d %s %+v", from, p.place, w.Code, w.Body, records)
			}
		}
	}
}

// A place has one spelling. What some other server could read as another place is refused, and recorded.
func TestAttackPlaces(t *testing.T) {
	b := newMatrixBed(t)
	tok := b.token(t, "secrets:*:*")
	strange := []string{
		"..", ".", "%2e%2e", "%2E%2e", ".%2e", "%2e", "..;", "..;a=b", ".;", "%2e%2e;x", "..%00", "%00", "..%0d%0a", "%2f", "%2F..%2f", "..%2f..", "%5c", "..%5c..", `\`, `..\..`, "%252e%252e", "%25%32%65", "%c0%ae%c0%ae",
		"%c0%af", "..%20", "%20..", "..%09", "%ff", "%7f", "a%0ab",
	}
	n := 0
	for _, s := range strange {
		for _, target := range []string{
			"/use/" + path + "/~/v1/" + s + "/admin", "/use/" + path + "/~/" + s, "/use/" + path + "/~/v1/" + s, "/use/" + path + "/~/v1/a/" + s + "?q=1",
			"/use/production/" + s + "/llm/key/~/v1", "/use/" + s + "/" + path + "/~/v1", "/use/" + path + "/" + s + "/~/v1", "/use/" + path + "/~/../~/" + s,
			"/use/" + s + "/~/v1", "/use/" + path + s + "/~/v1", "/use/" + path + "/" + s + "~/v1",
			"/api/v1/" + s + "/get", "/api/" + s + "/v1/get", "/" + s + "/api/v1/get", "/api/v1/get/" + s, "/api/v1/get" + s,
			"/api/v1/x/" + s + "/get",
		} {
			if _, err := url.ParseRequestURI(target); err != nil {
				continue // net/http answers 400
			}
			n++
			w, records := b.try("POST", target, places[0].body, "127.0.0.1:9", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tok) })
			if w.Code != 400 && w.Code != 404 || len(records) != 1 || records[0].Outcome != audit.Denied {
				t.Errorf("%s: %d %s %+v", target, w.Code, w.Body, records)
			}
		}
	}
	for _, target := range []string{
		"/use//" + path + "/~/v1", "//use/" + path + "/~/v1", "/use/" + path + "//~/v1", "/use/" + path + "/~v1", "/use/" + path + "/~", "/use/" + path + "/%7e/v1", "/use/~/v1", "/use//~/v1", "/USE/" + path + "/~/v1", "/%75se/" + path + "/~/v1",
		"/use/" + path + "/~//evil.example/", "/use/" + strings.ToUpper(path) + "/~/v1", "/use/" + path + "#/~/v1", "/use/*/~/v1", "/use/production/*/~/v1", "/use/production/llm/key*/~/v1",
		"/api/v1/", "/api/v1", "/api/v1//get", "/api//v1/get", "//api/v1/get", "/api/v1/GET", "/api/v1/Get", "/api/v1/get/", "/api/v1/ge%74", "/api/v1/get;", "/api/v1/openapi.json/", "/", "/healthz/", "/metrics", "/debug/pprof/", "/mcp",
	} {
		n++
		w, records := b.try("POST", target, places[0].body, "127.0.0.1:9", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tok) })
		if w.Code != 400 && w.Code != 404 || len(records) != 1 || records[0].Outcome != audit.Denied {
			t.Errorf("%s: %d %s %+v", target, w.Code, w.Body, records)
		}
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "PROPFIND", "CONNECT"} {
		w, records := b.try(method, "/api/v1/get", "", "127.0.0.1:9", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tok) })
		if w.Code != 405 && w.Code != 403 || len(records) != 1 {
			t.Errorf("%s: %d %s %+v", method, w.Code, w.Body, records)
		}
	}
	if got := b.sent.Load(); got != 0 {
		t.Errorf("%d requests reached the upstream", got)
	}
	t.Logf("%d places", n)
	for _, rest := range []string{"v1", "", "a/b/", "a//b", "a%20b", "v1%23a", "v1%3Fq", "%e2%82%ac", "a..b", "v1:generate", "...a"} {
		if w, _ := b.try("POST", "/use/"+path+"/~/"+rest, "", "127.0.0.1:9", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tok) }); w.Code != 200 {
			t.Errorf("the control %q: %d %s", rest, w.Code, w.Body)
		}
	}
}

// A token that stands in a second place would go on to the upstream, or into the log.
func TestAttackStrayToken(t *testing.T) {
	b := newMatrixBed(t)
	tok := b.token(t, "secrets:*:*")
	for _, c := range []struct{ field, query string }{
		{"Api-Key", ""}, {"X-Goog-Api-Key", ""}, {"X_api_key", ""}, {"X_Authorization", ""}, {"Cookie", ""}, {"Keyward-Reason", ""}, {"Keyward-Call", ""}, {"Referer", ""}, {"User-Agent", ""}, {"Proxy-Authorization", ""}, {"X-Amz-Security-Token", ""},
		{"", "?key=" + tok}, {"", "?a=1&access_token=" + tok + "&b"}, {"", "/" + tok},
	} {
		w, records := b.try("POST", "/use/"+path+"/~/v1"+c.query, "", "127.0.0.1:9", func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+tok)
			if c.field != "" {
				r.Header[c.field] = []string{"a=" + tok + ";"}
			}
		})
		if w.Code != 400 || strings.Contains(w.Body.String(), tok) || len(records) != 1 || strings.Contains(fmt.Sprintf("%+v", records), tok) {
			t.Errorf("%s%s: %d %s %+v", c.field, c.query, w.Code, w.Body, records)
		}
	}
	if n := b.sent.Load(); n != 0 {
		t.Errorf("%d requests reached the upstream", n)
	}
}
