// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// TestAttackHosts: a use goes to the places of the policy, and nowhere that looks like one.
func TestAttackHosts(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	s := a.issue(vault.Grant{})
	networks := attackNets("127.0.0.0/8", "10.0.0.0/8")
	set := func(path string, hosts ...string) {
		t.Helper()
		if err := a.op.SetPolicy(ctx, path, vault.Policy{Hosts: hosts, Networks: networks}, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := a.op.Put(ctx, vault.Item{Path: path, Value: vault.NewSecret(attackValue)}); err != nil {
			t.Fatal(err)
		}
	}
	use := func(path, method, url string) func() error {
		return func() error {
			err := s.Use(ctx, vault.Request{Path: path, Method: method, URL: url}, func(vault.Item) error { return nil })
			if told := vault.CheckURL(method, url); errors.Is(told, vault.ErrInvalid) != errors.Is(err, vault.ErrInvalid) && method+url != "" {
				t.Errorf("%q %q: CheckURL says %v, Use %v", method, url, told, err)
			}
			return err
		}
	}
	set("h/plain", "api.example.com")
	set("h/prefix", "GET,POST api.example.com/v1")
	set("h/port", "api.example.com:8443")
	set("h/http", "http://localhost:8080/api", "http://127.0.0.1")
	set("h/ip", "8.8.8.8", "[2001:db8::1]")
	var tries []try
	ok := func(path, method, url string) { tries = append(tries, allow(url, "use", use(path, method, url))) }
	no := func(path, method, url string) {
		tries = append(tries, deny(url, "use", vault.ErrDenied, "host", use(path, method, url)))
	}
	bad := func(path, method, url string) {
		tries = append(tries, deny(url, "use", vault.ErrInvalid, "invalid", use(path, method, url)))
	}
	ok("h/plain", "", "https://api.example.com")
	ok("h/plain", "DELETE", "https://api.example.com/")
	ok("h/plain", "", "https://api.example.com:443/any/thing%20else;p=1")
	ok("h/prefix", "GET", "https://api.example.com/v1")
	ok("h/prefix", "POST", "https://api.example.com/v1/")
	ok("h/prefix", "", "https://api.example.com/v1/search")
	ok("h/port", "", "https://api.example.com:8443/x")
	ok("h/http", "", "http://localhost:8080/api/x")
	ok("h/http", "", "http://127.0.0.1/x")
	ok("h/ip", "", "https://8.8.8.8/")
	ok("h/ip", "", "https://[2001:db8::1]/")
	for _, u := range []string{
		"http://api.example.com", "https://api.example.com:8443", "https://api.example.com:80", "https://example.com", "https://xapi.example.com", "https://api.example.com.evil.org",
		"https://api-example.com", "https://www.api.example.com", "https://evil.org/api.example.com", "https://api.example.co", "https://8.8.8.8", "https://xn--pi-7ka.example.com",
	} {
		no("h/plain", "", u)
	}
	for _, u := range []string{"/", "", "/v", "/v11", "/v1x", "/V1", "/v2", "/v1%20", "//v1", "/x/v1", "/%76%31", "/v1;x", "/v1:x"} {
		no("h/prefix", "", "https://api.example.com"+u)
	}
	for _, m := range []string{"PUT", "DELETE", "HEAD", "OPTIONS", "GETX", "POSTGET"} {
		no("h/prefix", m, "https://api.example.com/v1")
	}
	for _, m := range []string{"get", "Get", "GET ", " GET", "GET,POST", "GET\n", "GET\r\nHost:evil", "G\u0415T", "A" + strings.Repeat("B", 16), "*", "GET/1"} {
		bad("h/prefix", m, "https://api.example.com/v1")
	}
	for _, u := range []string{"https://localhost:8080/api", "http://localhost/api", "http://localhost:8080/", "http://localhost:8080/apis", "http://127.0.0.2/", "http://127.0.0.1:8080/", "http://10.0.0.1/", "http://[::1]/"} {
		no("h/http", "", u)
	}
	no("h/ip", "", "https://8.8.8.9/")
	no("h/ip", "", "https://[2001:db8::2]/")
	no("h/ip", "", "https://[2001:db8::1]:8443/")
	for _, u := range []string{
		"", "api.example.com", "//api.example.com", "https:api.example.com", "https:/api.example.com", "https:///api.example.com", "HTTPS://api.example.com", "Https://api.example.com",
		"ftp://api.example.com", "javascript://api.example.com", "file:///etc/passwd", "ws://api.example.com", " https://api.example.com", "https://api.example.com ", "https:\\\\api.example.com",
		"https://API.example.com", "https://api.Example.com", "https://api.example.com.", "https://api.example.com..", "https://.api.example.com", "https://api..example.com",
		"https://user@api.example.com", "https://user:pw@api.example.com", "https://api.example.com@evil.org", "https://evil.org\\@api.example.com", "https://api.example.com\\.evil.org",
		"https://api.example.com%2eevil.org", "https://api%2eexample.com", "https://api.example.com%00.evil.org", "https://api.example.com\x00", "https://api.example.com\t", "https://api.example\n.com",
		"https://api.ex\u00e4mple.com", "https://api.example\u3002com", "https://\u0430pi.example.com", "https://api.example.com\u2044x", "https://api\u200b.example.com", "https://api.example.com\uff0fx", "https://api.example.com\xff",
		"https://api.example.com:", "https://api.example.com:0", "https://api.example.com:0443", "https://api.example.com:+443", "https://api.example.com:65536", "https://api.example.com:443:443", "https://api.example.com:https", "https://api.example.com: 443", "https://api.example.com:\u0664\u0664\u0663",
		"https://127.1/", "https://0x7f.0.0.1/", "https://0x7f000001/", "https://2130706433/", "https://0177.0.0.1/", "https://127.0.0.01/", "https://127.0.1/", "https://1.2.3.4.5/", "https://256.0.0.1/", "https://8.8.8.8./", "https://8.8.2056/", "https://0/", "https://a.0x7f/",
		"https://[::ffff:8.8.8.8]/", "https://[2001:DB8::1]/", "https://[2001:db8:0::1]/", "https://[2001:db8::01]/", "https://2001:db8::1/", "https://[2001:db8::1", "https://2001:db8::1]/", "https://[2001:db8::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[8.8.8.8]/", "https://[]/", "https://[2001:db8::1]x/", "https://[[2001:db8::1]]/",
		"https://-api.example.com", "https://api-.example.com", "https://*.example.com", "https://api.example.com," + "b.example.com", "https://" + strings.Repeat("a", 64) + ".com", "https://" + strings.Repeat("a.", 127) + "com", "https://?", "https://#", "https://",
	} {
		bad("h/plain", "GET", u)
	}
	for _, p := range []string{
		"/v1/../admin", "/v1/..", "/..", "/v1/./x", "/v1/.", "/v1/%2e%2e/admin", "/v1/%2E%2E/", "/v1/.%2e/x", "/v1/%2e/x", "/v1/..%2fadmin", "/v1%2f..%2fadmin", "/v1/%2f", "/v1%2F", "/v1/%5c..%5cadmin", "/v1/..\\admin", "/v1\\x",
		"/v1/%252e%252e/", "/v1/%25", "/v1/..;/admin", "/v1/..;a=b/admin", "/v1/.;/x", "/v1/%2e%2e;x/", "/v1/..%3b/x", "/v1/%00", "/v1/x%00", "/v1/%0a", "/v1/%0d%0aHost:evil", "/v1/%7f", "/v1/%", "/v1/%2", "/v1/%zz", "/v1?x", "/v1?", "/v1#x", "/v1/x?key=v",
		"/v1/%E2%80%A4%E2%80%A4/admin", "/v1/%E2%80%A5/admin", "/v1/..%EF%BC%8Fadmin", "/v1/x%EF%BC%8Fadmin", "/v1/%EF%BC%8E%EF%BC%8E/admin", "/v1/x%EF%BC%85x", "/v1/x%EF%BC%BCx", "/v1/x%EF%B9%A8x",
		"/v1/ x", "/v1/\u00e4", "/v1/\x01", "/v1/\xff", "/v1/" + strings.Repeat("x", 2<<10),
	} {
		bad("h/prefix", "GET", "https://api.example.com"+p)
	}
	ok("h/plain", "", "/")
	ok("h/plain", "", "/any/thing%20else;p=1")
	ok("h/prefix", "POST", "/v1/search")
	no("h/prefix", "", "/v2")
	no("h/prefix", "DELETE", "/v1/search")
	for _, u := range []string{"//api.example.com/v1", "///v1", "/v1/../v2", "/v1%2fx", "/v1?q", "/v1#x", "v1", "./v1", "/v1\\x", "/" + strings.Repeat("x", 2<<10)} {
		bad("h/prefix", "GET", u)
	}
	for _, path := range []string{"h/http", "h/ip"} {
		tries = append(tries, deny("several hosts", "use", vault.ErrDenied, "which_host", use(path, "", "/v1")))
	}
	tries = append(tries, deny("no hosts, a path", "use", vault.ErrDenied, "no_hosts", use(attackPath, "", "/v1")))
	for _, path := range []string{"h/plain", "h/prefix", "h/http"} {
		tries = append(tries, deny("no URL", "use", vault.ErrDenied, "needs_url", use(path, "", "")), deny("a method alone", "use", vault.ErrInvalid, "invalid", use(path, "GET", "")))
	}
	tries = append(tries, deny("no hosts", "use", vault.ErrDenied, "no_hosts", use(attackPath, "", "https://api.example.com")), allow("no hosts, no URL", "use", use(attackPath, "", "")))
	for op, do := range map[string]func(r vault.Request) error{
		"get": func(r vault.Request) error { _, err := s.Get(ctx, r); return err }, "list": func(r vault.Request) error { _, err := s.List(ctx, r); return err },
		"versions": func(r vault.Request) error { _, err := s.Versions(ctx, r); return err }, "delete": func(r vault.Request) error { return s.Delete(ctx, r) },
	} {
		for _, r := range []vault.Request{{Path: "h/plain", URL: "https://api.example.com"}, {Path: "h/plain", Method: "GET"}} {
			tries = append(tries, deny("a URL", op, vault.ErrInvalid, "invalid", func() error { return do(r) }))
		}
	}
	first := a.size()
	a.run(tries...)
	for _, r := range a.records(audit.Filter{Since: first, Outcome: audit.Granted}, 0) {
		if r.Host == "" != (r.Path == attackPath) || strings.HasSuffix(r.Host, ":443") {
			t.Errorf("recorded host %q of %s", r.Host, r.Path)
		}
	}
	t.Logf("%d cases", len(tries))

	t.Run("overlong dots and spaces that servers drop", func(t *testing.T) {
		for _, p := range []string{"/v1/%c0%ae%c0%ae/admin", "/v1/%e0%80%ae%e0%80%ae/admin", "/v1/%c0%af..", "/v1/%ff", "/v1/..%20/admin", "/v1/%2e%2e%20/admin", "/v1/..%c2%a0/admin"} {
			if err := use("h/prefix", "GET", "https://api.example.com"+p)(); err == nil {
				t.Errorf("%s is let through", p)
			}
		}
	})
}

// TestAttackHostEntries: a policy takes no entry that could be read in two ways.
func TestAttackHostEntries(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	set := func(p vault.Policy) func() error {
		return func() error { return a.op.SetPolicy(ctx, "h/x", p, "") }
	}
	networks := attackNets("127.0.0.0/8")
	tries := []try{}
	for _, h := range []string{"api.example.com", "GET api.example.com/v1", "GET,POST api.example.com:8443/v1/x", "http://localhost:8080", "[2001:db8::1]", "8.8.8.8", "xn--bcher-kva.example"} {
		tries = append(tries, allow(h, "policy", set(vault.Policy{Hosts: []string{h}, Networks: networks})))
	}
	for _, h := range []string{
		"", " ", "*", "*.example.com", "api.*", "API.example.com", "api.example.com.", "https://api.example.com", "HTTP://api.example.com", "ftp://api.example.com", "//api.example.com", "user@api.example.com", "api.example.com:",
		"api.example.com:0", "api.example.com:0443", "api.example.com:65536", "api.example.com:*", "api.example.com/v1?x", "api.example.com/v1#x", "api.example.com/../x", "api.example.com/./x", "api.example.com/%2e%2e/x", "api.example.com/v1%2fx", "api.example.com/v1/*/..",
		"api.example.com\\x", "api.example.com /v1", "api.example.com/v 1", "get api.example.com", "GET, POST api.example.com", "GET,,POST api.example.com", ",GET api.example.com", "GET  api.example.com", "GET\tapi.example.com", " GET api.example.com", "GET api.example.com ",
		"GET", "GET ", "127.1", "0x7f.0.0.1", "2130706433", "0177.0.0.1", "[::ffff:1.2.3.4]", "[fe80::1%eth0]", "::1", "[::1", "[0::1]", "b\u00fccher.example", "api.example\u3002com", "api.example.com\n", "api.example.com\x00", "a.b,c.d", "a.b c.d", "api.example.com/\u00e4", "api.example.com/\xff", "-a.com", "a..b", "." + "a.com",
	} {
		tries = append(tries, deny(h, "policy", vault.ErrInvalid, "invalid", set(vault.Policy{Hosts: []string{h}, Networks: networks})))
	}
	many := func(n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprintf("h%d.example.com", i))
		}
		return out
	}
	tries = append(tries,
		allow("32 hosts", "policy", set(vault.Policy{Hosts: many(32)})), deny("33 hosts", "policy", vault.ErrInvalid, "invalid", set(vault.Policy{Hosts: many(33)})),
		deny("a host twice", "policy", vault.ErrInvalid, "invalid", set(vault.Policy{Hosts: []string{"a.com", "a.com"}})),
		deny("http without networks", "policy", vault.ErrInvalid, "invalid", set(vault.Policy{Hosts: []string{"http://localhost"}})),
		deny("over 4 KiB", "policy", vault.ErrInvalid, "invalid", set(vault.Policy{Hosts: []string{"a.com/" + strings.Repeat("x", 2000), "b.com/" + strings.Repeat("x", 2000), "c.com/" + strings.Repeat("x", 200)}})),
	)
	for _, p := range []string{"Bearer", "basic", "basic:", "basic:a:b", "header:", "header:X Y", "header:X\r\nY", "header:X:Y", "query:a=b", "query:a&b=c", "cookie:x", "header:\u00e4", " bearer", "header:" + strings.Repeat("x", 65)} {
		tries = append(tries, deny("placement "+p, "policy", vault.ErrInvalid, "invalid", set(vault.Policy{Placement: p})))
	}
	for _, p := range []string{"bearer", "basic:user", "header:X-Api-Key", "query:key"} {
		tries = append(tries, allow("placement "+p, "policy", set(vault.Policy{Placement: p})))
	}
	tries = append(tries, deny("type", "policy", vault.ErrInvalid, "invalid", set(vault.Policy{Type: "API_KEY"})), deny("tier", "policy", vault.ErrInvalid, "invalid", set(vault.Policy{Tier: "Critical"})))
	a.run(tries...)
	t.Logf("%d cases", len(tries))
	t.Run("one spelling", func(t *testing.T) {
		for _, h := range []string{"api.example.com:443", "api.example.com/", "http://localhost:80", "api.example.com//", "api.example.com/v1/", "api.example.com/v1//", "GET,GET api.example.com", "api.example.com/v1//x"} {
			if canon, err := vault.CanonHost(h); err == nil && canon != h {
				t.Errorf("%q is accepted and means %q", h, canon)
			}
		}
	})
}
