// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

const (
	path   = "production/search/key"
	canary = "canary/5f2c9e81+d7a04b36=="
)

// bed is a vault with one secret, and an engine of an agent that may use it.
type bed struct {
	*vault.Vault
	*Engine
}

func newBed(t testing.TB) bed {
	v := vaulttest.Open(t, map[string]string{path: canary})
	return bed{v, New(vaulttest.Session(t, v, "researcher", "secrets:use:production/search/*"), new(redact.Redactor), nil)}
}

func (b bed) policy(t testing.TB, p vault.Policy) {
	t.Helper()
	if err := b.Operator("test").SetPolicy(context.Background(), path, p, "a test"); err != nil {
		t.Fatal(err)
	}
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// upstream starts a server and makes it the only place for the secret.
func (b bed) upstream(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	b.policy(t, vault.Policy{Hosts: []string{s.URL}, Networks: loopback})
	return s.URL
}

func (b bed) client() *http.Client { return b.limited(Limits{}) }

func (b bed) limited(l Limits) *http.Client {
	return &http.Client{Transport: b.Transport(Use{Path: path, Reason: "a test", Call: "call-1", Limits: l})}
}

func get(t testing.TB, c *http.Client, url string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(c, req)
}

func do(c *http.Client, req *http.Request) (*http.Response, string, error) {
	resp, err := c.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// clean fails the test if what somebody sees holds the canary in any form.
func clean(t testing.TB, what string, seen ...any) {
	t.Helper()
	text := fmt.Sprintf("%+v %#v", seen, seen)
	for _, form := range []string{
		canary, url.QueryEscape(canary), url.PathEscape(canary), hex.EncodeToString([]byte(canary)), strings.ReplaceAll(canary, "/", `\/`),
		base64.StdEncoding.EncodeToString([]byte(canary))[:24], base64.StdEncoding.EncodeToString([]byte("x" + canary))[4:24], base64.StdEncoding.EncodeToString([]byte("xy" + canary))[4:24],
	} {
		if strings.Contains(text, form) {
			t.Errorf("%s shows the value as %q: %.600s", what, form, text)
		}
	}
}

// all returns the records of the agent.
func (b bed) all(t testing.TB) (all []audit.Record) {
	t.Helper()
	for r, err := range b.Log().Records(context.Background(), audit.Filter{Agent: "researcher"}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// one fails the test unless the agent has exactly one record, and returns it.
func (b bed) one(t testing.TB) audit.Record {
	t.Helper()
	all := b.all(t)
	if len(all) != 1 {
		t.Fatalf("%d records: %+v", len(all), all)
	}
	clean(t, "the record", all)
	return all[0]
}

func TestPlacement(t *testing.T) {
	for _, c := range []struct{ placement, header, want, query string }{
		{"", "Authorization", "Bearer " + canary, ""},
		{"bearer", "Authorization", "Bearer " + canary, ""},
		{"basic:user", "Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+canary)), ""},
		{"header:X-Api-Key", "X-Api-Key", canary, ""},
		{"query:key", "", "", canary},
	} {
		b := newBed(t)
		var got *http.Request
		url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) { got = r })
		b.policy(t, vault.Policy{Hosts: []string{url + "/v1"}, Networks: loopback, Placement: c.placement})
		req, _ := http.NewRequestWithContext(t.Context(), "GET", url+"/v1/search?q=go", nil)
		req.Header = http.Header{"Authorization": {"Bearer dummy"}, "X-Api-Key": {"dummy"}, "x-api-key": {"dummy"}, "Proxy-Authorization": {"dummy"}, "X-Own": {"kept"}}
		resp, _, err := do(b.client(), req)
		if err != nil {
			t.Fatalf("%s: %v", c.placement, err)
		}
		if c.header != "" && (len(got.Header[c.header]) != 1 || got.Header.Get(c.header) != c.want) {
			t.Errorf("%s: %s is %q", c.placement, c.header, got.Header[c.header])
		}
		if c.header != "Authorization" && got.Header.Get("Authorization") != "" || got.Header.Get("Proxy-Authorization") != "" || got.Header.Get("X-Own") != "kept" {
			t.Errorf("%s: %v", c.placement, got.Header)
		}
		if q := got.URL.Query(); q.Get("key") != c.query || q.Get("q") != "go" {
			t.Errorf("%s: query %q", c.placement, got.URL.RawQuery)
		}
		if resp.Request.Header.Get("Authorization") != "Bearer dummy" || resp.Request.URL.String() != url+"/v1/search?q=go" {
			t.Errorf("%s: the request of the answer is not the caller's: %v %v", c.placement, resp.Request.URL, resp.Request.Header)
		}
		clean(t, c.placement, resp, resp.Request, resp.Request.URL.String(), resp.Header)
		if r := b.one(t); r.Op != "use" || r.Outcome != audit.Granted || r.Method != "GET" || r.Host != strings.TrimPrefix(url, "http://") || r.Path != path || r.Reason != "a test" || r.Call != "call-1" {
			t.Errorf("%s: recorded as %+v", c.placement, r)
		}
	}
}

// Whatever an upstream makes of the header that it got, the caller does not get it back.
func TestEchoes(t *testing.T) {
	type echo func(w http.ResponseWriter, value string)
	body := func(f func(string) string) echo {
		return func(w http.ResponseWriter, v string) { io.WriteString(w, f(v)) }
	}
	for name, e := range map[string]echo{
		"raw":    body(func(v string) string { return "you sent " + v }),
		"base64": body(func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) }),
		"url":    body(url.QueryEscape),
		"hex":    body(func(v string) string { return hex.EncodeToString([]byte(v)) }),
		"json":   body(func(v string) string { b, _ := json.Marshal(map[string]string{"key": v}); return string(b) }),
		"php":    body(func(v string) string { return strings.ReplaceAll(v, "/", `\/`) }),
		"twice":  body(func(v string) string { return v + v }),
		"byte by byte": func(w http.ResponseWriter, v string) {
			for i := range len(v) {
				io.WriteString(w, v[i:i+1])
				w.(http.Flusher).Flush()
			}
		},
		"event stream": func(w http.ResponseWriter, v string) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "data: "+v[:12])
			w.(http.Flusher).Flush()
			io.WriteString(w, v[12:]+"\n\n")
		},
		"gzip": func(w http.ResponseWriter, v string) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, v)
			z.Close()
		},
		"header":      func(w http.ResponseWriter, v string) { w.Header().Set("X-Echo", v) },
		"header name": func(w http.ResponseWriter, v string) { w.Header()["X-"+hex.EncodeToString([]byte(v))] = []string{"1"} },
		"trailer": func(w http.ResponseWriter, v string) {
			w.(http.Flusher).Flush() // else it has a length, and no trailer
			w.Header().Set(http.TrailerPrefix+"X-Echo", v)
		},
		"error page": func(w http.ResponseWriter, v string) { http.Error(w, v, http.StatusUnauthorized) },
	} {
		b := newBed(t)
		url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
			e(w, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		})
		resp, body, err := get(t, b.client(), url)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		clean(t, name, resp.Status, resp.Header, resp.Trailer, body, resp)
		if text := fmt.Sprint(body, resp.Header, resp.Trailer); !strings.Contains(strings.ToLower(text), redact.Mask) {
			t.Errorf("%s: nothing is masked: %s", name, text)
		}
		b.one(t)
	}
}

// raw starts an upstream that answers each request with what f makes of its credential, byte for byte.
func (b bed) raw(t testing.TB, f func(value string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					io.WriteString(c, f(strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")))
				}
			}()
		}
	}()
	url := "http://" + l.Addr().String()
	b.policy(t, vault.Policy{Hosts: []string{url}, Networks: loopback})
	return url
}

// Errors quote what upstreams send.
func TestMalformedAnswers(t *testing.T) {
	for name, f := range map[string]func(string) string{
		"no HTTP":        func(v string) string { return v + " is your key\r\n\r\n" },
		"status code":    func(v string) string { return "HTTP/1.1 " + v + " OK\r\n\r\n" },
		"header line":    func(v string) string { return "HTTP/1.1 200 OK\r\n" + v + "\r\n\r\n" },
		"length":         func(v string) string { return "HTTP/1.1 200 OK\r\nContent-Length: " + v + "\r\n\r\n" },
		"encoding":       func(v string) string { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + v + "\r\n\r\n" },
		"chunk":          func(v string) string { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + v + "\r\n" },
		"cut":            func(v string) string { return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + v },
		"location":       func(v string) string { return "HTTP/1.1 302 Found\r\nLocation: http://" + v + "\r\n\r\n" },
		"location, path": func(v string) string { return "HTTP/1.1 302 Found\r\nLocation: https://example.com/" + v + "\r\n\r\n" },
		"switching": func(v string) string {
			return "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: " + v + "\r\n\r\n"
		},
		"br": func(v string) string { return "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nhi" },
		"gzip, twice": func(v string) string {
			return "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 2\r\n\r\nhi"
		},
	} {
		b := newBed(t)
		resp, body, err := get(t, b.client(), b.raw(t, f))
		if err == nil {
			t.Errorf("%s: no error, but %q", name, body)
			continue
		}
		clean(t, name, resp, body, err, err.Error())
		for e := err; e != nil; e = errors.Unwrap(e) {
			clean(t, name, e.Error())
		}
	}
	b := newBed(t)
	resp, _, err := get(t, b.client(), b.raw(t, func(v string) string { return "HTTP/1.1 200 " + v + "\r\nContent-Length: 0\r\n\r\n" }))
	if err != nil {
		t.Fatal(err)
	}
	clean(t, "status text", resp.Status)
}

// Each redirect is a request of its own.
func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Errorf("%s was reached with %v", r.Host, r.Header) }))
	defer other.Close()
	for name, c := range map[string]struct {
		location string
		ok       bool
	}{
		"the same host":       {"/v1/there", true},
		"out of the prefix":   {"/v2/there", false},
		"dots":                {"/v1/../v2", false},
		"another host":        {other.URL + "/v1", false},
		"another scheme":      {"https://127.0.0.1/v1", false},
		"metadata":            {"http://169.254.169.254/latest/meta-data/", false},
		"localhost by name":   {"http://localhost/v1", false},
		"a file":              {"file:///etc/passwd", false},
		"userinfo":            {"http://user:pw@" + other.Listener.Addr().String() + "/v1", false},
		"host in upper case":  {"http://EXAMPLE.com/v1", false},
		"trailing dot":        {"http://example.com./v1", false},
		"decimal address":     {"http://2130706433/v1", false},
		"short address":       {"http://127.1/v1", false},
		"mapped address":      {"http://[::ffff:127.0.0.1]/v1", false},
		"international name":  {"http://exämple.com/v1", false},
		"fullwidth full stop": {"http://example。com/v1", false},
	} {
		b := newBed(t)
		hits := 0
		var url string
		url = b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
			if hits++; hits == 1 {
				w.Header()["Location"] = []string{c.location}
				w.WriteHeader(http.StatusTemporaryRedirect)
			}
		})
		b.policy(t, vault.Policy{Hosts: []string{url + "/v1"}, Networks: loopback})
		_, _, err := get(t, b.client(), url+"/v1/here")
		all := b.all(t)
		if c.ok {
			if err != nil || hits != 2 || len(all) != 2 {
				t.Errorf("%s: %v, %d hits, %d records", name, err, hits, len(all))
			}
			continue
		}
		if err == nil || hits != 1 || len(all) != 2 || all[1].Outcome != audit.Denied {
			t.Errorf("%s: %v, %d hits, %+v", name, err, hits, all)
		}
	}
}

// What is told to the door is what is sent, or the door refuses it; and it writes it down.
func TestRefusedByForm(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"opaque":          func(r *http.Request) { r.URL.Opaque = "//evil.example/v1" },
		"other Host":      func(r *http.Request) { r.Host = "evil.example" },
		"userinfo":        func(r *http.Request) { r.URL.User = url.UserPassword("user", "pw") },
		"path, no slash":  func(r *http.Request) { r.URL.Path = "v1" },
		"asterisk":        func(r *http.Request) { r.Method, r.URL.Path = "OPTIONS", "*" },
		"dots":            func(r *http.Request) { r.URL.Path = "/v1/../v2" },
		"escaped dots":    func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/v1/../v2", "/v1/%2e%2e/v2" },
		"escaped slash":   func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/v1/a/b", "/v1/a%2fb" },
		"CONNECT":         func(r *http.Request) { r.Method = "CONNECT" },
		"TRACE":           func(r *http.Request) { r.Method = "TRACE" },
		"method in lower": func(r *http.Request) { r.Method = "get" },
		"upgrade":         func(r *http.Request) { r.Header.Set("Upgrade", "websocket"); r.Header.Set("Connection", "Upgrade") },
		"connection":      func(r *http.Request) { r.Header.Set("Connection", "close, X-Own") },
		"upper case":      func(r *http.Request) { r.URL.Host = "LOCALHOST" },
		"trailing dot":    func(r *http.Request) { r.URL.Host = "localhost." },
		"empty port":      func(r *http.Request) { r.URL.Host += ":" },
		"port with zero":  func(r *http.Request) { r.URL.Host = strings.Replace(r.URL.Host, ":", ":0", 1) },
		"scheme":          func(r *http.Request) { r.URL.Scheme = "HTTP" },
		"no scheme":       func(r *http.Request) { r.URL.Scheme = "" },
	} {
		b := newBed(t)
		to := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
			t.Errorf("%s: it was sent as %s %s %s", name, r.Method, r.Host, r.RequestURI)
		})
		req, _ := http.NewRequestWithContext(t.Context(), "GET", to+"/v1", nil)
		req.Host = ""
		change(req)
		closed := &closing{}
		req.Body = closed
		if _, err := b.Do(req, Use{Path: path}); !errors.Is(err, vault.ErrInvalid) && !errors.Is(err, vault.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
		if r := b.one(t); r.Outcome != audit.Denied {
			t.Errorf("%s: recorded as %+v", name, r)
		}
		if !closed.is {
			t.Errorf("%s: the body is not closed", name)
		}
	}
}

type closing struct{ is bool }

func (c *closing) Read([]byte) (int, error) { return 0, io.EOF }
func (c *closing) Close() error             { c.is = true; return nil }

// A name is what it resolves to when the socket connects.
func TestResolvedAddresses(t *testing.T) {
	for _, c := range []struct {
		networks []netip.Prefix
		answers  []string // of the name, one after the other
		ok       bool
	}{
		{loopback, []string{"127.0.0.1"}, true},
		{nil, []string{"127.0.0.1"}, false},
		{nil, []string{"169.254.169.254"}, false},
		{nil, []string{"10.0.0.1"}, false},
		{[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, []string{"127.0.0.1"}, false},
		{loopback, []string{"127.0.0.1", "10.0.0.1"}, false}, // at the second answer
	} {
		b := newBed(t)
		up := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Connection", "close") }))
		defer up.Close()
		_, port, _ := net.SplitHostPort(up.Listener.Addr().String())
		host := "api.example.com:" + port
		b.policy(t, vault.Policy{Hosts: []string{host}, Networks: c.networks})
		b.dialers.roots = up.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		names := &names{answers: c.answers}
		b.dialers.resolver = names.resolver(t)
		var err error
		for range c.answers {
			_, _, err = get(t, b.client(), "https://"+strings.Replace(host, "api.example.com", "example.com", 1))
			_ = err
			_, _, err = get(t, b.client(), "https://"+host)
			b.CloseIdle()
			names.next()
		}
		var wrong *Error
		if c.ok != (err == nil) && !(c.ok && strings.Contains(fmt.Sprint(err), "certificate")) || !c.ok && (!errors.As(err, &wrong) || !strings.Contains(err.Error(), "not one that the policy")) {
			t.Errorf("%v within %v: %v", c.answers, c.networks, err)
		}
	}
}

// names answers every question for an A record.
type names struct {
	mu      sync.Mutex
	answers []string
}

func (n *names) next() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.answers) > 1 {
		n.answers = n.answers[1:]
	}
}

func (n *names) resolver(t testing.TB) *net.Resolver {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			l, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			q := bytes.Clone(buf[:l])
			end := 12
			for q[end] != 0 {
				end += int(q[end]) + 1
			}
			end += 5
			out := append(bytes.Clone(q[:2]), 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
			out = append(out, q[12:end]...)
			if q[end-3] == 1 { // A
				out[7] = 1
				n.mu.Lock()
				a := netip.MustParseAddr(n.answers[0]).As4()
				n.mu.Unlock()
				out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				out = append(out, a[:]...)
			}
			pc.WriteTo(out, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

func TestNetworks(t *testing.T) {
	private := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}
	for _, c := range []struct {
		addr           string
		public, inside bool
	}{
		{"8.8.8.8", true, false}, {"2606:4700::1", true, false}, {"2a00:1450::1", true, false},
		{"10.1.2.3", false, true}, {"10.2.0.1", false, false}, {"fd00:1::1", false, true}, {"fd00:2::1", false, false},
		{"0.0.0.0", false, false}, {"127.0.0.1", false, false}, {"127.255.255.254", false, false}, {"169.254.169.254", false, false},
		{"172.16.0.1", false, false}, {"172.32.0.1", true, false}, {"192.168.1.1", false, false}, {"100.64.0.1", false, false}, {"100.128.0.1", true, false},
		{"192.0.0.8", false, false}, {"192.0.2.1", false, false}, {"198.18.0.1", false, false}, {"198.51.100.1", false, false}, {"203.0.113.9", false, false},
		{"224.0.0.1", false, false}, {"239.255.255.255", false, false}, {"240.0.0.1", false, false}, {"255.255.255.255", false, false},
		{"::", false, false}, {"::1", false, false}, {"fe80::1", false, false}, {"fe80::1%eth0", false, false}, {"fc00::1", false, false}, {"ff02::1", false, false},
		{"::ffff:127.0.0.1", false, false}, {"::ffff:10.1.2.3", false, true}, {"::ffff:8.8.8.8", true, false}, {"::127.0.0.1", false, false},
		{"64:ff9b::7f00:1", false, false}, {"64:ff9b:1::1", false, false}, {"2002:7f00:1::", false, false}, {"2001:0:1::1", false, false},
		{"2001:db8::1", false, false}, {"2001:20::1", false, false}, {"3fff::1", false, false}, {"5f00::1", false, false}, {"100::1", false, false}, {"4000::1", false, false},
	} {
		a := netip.MustParseAddr(c.addr)
		if got := allowed(a, nil); got != c.public {
			t.Errorf("%s is public: %v", a, got)
		}
		if got := allowed(a, private); got != c.inside {
			t.Errorf("%s is inside: %v", a, got)
		}
	}
	if allowed(netip.Addr{}, nil) || allowed(netip.Addr{}, private) {
		t.Error("the zero address is allowed")
	}
}

// A connection that was made within some networks is not there for a policy with others, and none goes by a proxy.
func TestPools(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("ALL_PROXY", "http://127.0.0.1:1")
	b := newBed(t)
	url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	if _, body, err := get(t, b.client(), url); err != nil || body != "hello" {
		t.Fatal(body, err)
	}
	b.policy(t, vault.Policy{Hosts: []string{url}, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	if _, _, err := get(t, b.client(), url); err == nil {
		t.Error("a connection was used that the policy forbids")
	}
	var d dialers
	first := d.of(loopback)
	if first.Proxy != nil {
		t.Error("there is a proxy")
	}
	same := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8")}
	if d.of(same) == first || d.of([]netip.Prefix{same[1], same[0]}) != d.of(same) || d.of(loopback) != first {
		t.Error("pools are not by the set of networks")
	}
	for i := range 3 * maxPools {
		d.of([]netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16)})
	}
	if len(d.pools) != maxPools {
		t.Errorf("%d pools", len(d.pools))
	}
}

// A hook in the context of the caller would be shown the header.
func TestTraceSeesNothing(t *testing.T) {
	b := newBed(t)
	url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteHeaderField: func(key string, value []string) { t.Errorf("seen: %s: %q", key, value) }})
	req, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
	if _, _, err := do(b.client(), req); err != nil {
		t.Fatal(err)
	}
}

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

// A value that no header can hold is an error that does not quote it.
func TestValuesThatDoNotFit(t *testing.T) {
	for _, value := range []string{canary + "\n", " " + canary, canary + "\r\nX-Evil: 1", canary + "\x00", "\x7f" + canary} {
		b := newBed(t)
		url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) { t.Error("it was sent") })
		if _, err := b.Operator("test").Put(t.Context(), vault.Item{Path: path, Value: vault.NewSecret(value)}); err != nil {
			t.Fatal(err)
		}
		_, _, err := get(t, b.client(), url)
		if !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%q: %v", value, err)
		}
		clean(t, "the error", err.Error())
	}
	b := newBed(t)
	url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) { t.Error("it was sent") })
	b.policy(t, vault.Policy{Hosts: []string{url}, Networks: loopback, Placement: "query:key"})
	for _, q := range []string{"?key=1", "?k%65y=1", "?a=%zz", "?a;b"} {
		if _, _, err := get(t, b.client(), url+q); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%s: %v", q, err)
		}
	}
}

// What stops an agent stops its next request, the next hop of one too.
func TestStoppedBetweenHops(t *testing.T) {
	b := newBed(t)
	hits := 0
	url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) {
		hits++
		if err := b.Operator("test").Freeze(context.Background(), vault.Frozen{Kind: "agent", Value: "researcher"}, "a test"); err != nil {
			t.Error(err)
		}
		http.Redirect(w, r, "/next", http.StatusFound)
	})
	if _, _, err := get(t, b.client(), url); !errors.Is(err, vault.ErrDenied) || hits != 1 {
		t.Errorf("%v, %d hits", err, hits)
	}
}

func TestConcurrentRequests(t *testing.T) {
	b := newBed(t)
	url := b.upstream(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path, r.Header.Get("Authorization")) })
	c := b.client()
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			_, body, err := get(t, c, fmt.Sprintf("%s/%d", url, i))
			if want := fmt.Sprintf("/%dBearer %s", i, redact.Mask); err != nil || body != want {
				t.Errorf("%q, %v", body, err)
			}
		})
	}
	wg.Wait()
	if n := len(b.all(t)); n != 64 {
		t.Errorf("%d records", n)
	}
}
