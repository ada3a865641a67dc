// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// named starts a TLS upstream that is reached by the name example.com, which resolves to answers, one after the other: next goes on.
func (b bed) named(t testing.TB, h http.HandlerFunc, networks []netip.Prefix, answers ...string) (url string, next func()) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	names := &names{answers: answers}
	b.pool.roots = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	b.pool.resolver = names.resolver(t)
	t.Cleanup(b.CloseIdle)
	b.policy(t, vault.Policy{Hosts: []string{"example.com:" + port}, Networks: networks})
	return "https://example.com:" + port, names.next
}

// A name is what it resolves to when the socket connects.
func TestResolvedAddresses(t *testing.T) {
	within := func(network string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(network)} }
	for _, c := range []struct {
		networks []netip.Prefix
		answer   string
		ok       bool
	}{
		{loopback, "127.0.0.1", true},
		{within("127.0.0.1/32"), "127.0.0.1", true},
		{within("127.0.0.2/32"), "127.0.0.1", false},
		{within("10.0.0.0/8"), "127.0.0.1", false},
		{within("::/0"), "127.0.0.1", false},
		{loopback, "169.254.169.254", false},
		{nil, "127.0.0.1", false},
		{nil, "169.254.169.254", false},
		{nil, "10.0.0.1", false},
		{nil, "0.0.0.0", false},
	} {
		b := newBed(t)
		url, _ := b.named(t, func(w http.ResponseWriter, r *http.Request) {
			if !c.ok {
				t.Errorf("%s within %v was reached", c.answer, c.networks)
			}
		}, c.networks, c.answer)
		_, _, err := get(t, b.client(), url)
		var wrong *Error
		if c.ok && err != nil || !c.ok && (!errors.As(err, &wrong) || !strings.Contains(err.Error(), ErrAddress.Error())) {
			t.Errorf("%s within %v: %v", c.answer, c.networks, err)
		}
		if r := b.one(t); r.Outcome != audit.Granted || "https://"+r.Host != url {
			t.Errorf("%s within %v is recorded as %+v", c.answer, c.networks, r)
		}
	}
}

// A name that was good at the first request is not so at the second, nor for the hop of a redirect.
func TestRebinding(t *testing.T) {
	for _, redirect := range []bool{false, true} {
		b := newBed(t)
		hits := 0
		var next func()
		url, next := b.named(t, func(w http.ResponseWriter, r *http.Request) {
			hits++
			w.Header().Set("Connection", "close")
			if redirect {
				next()
				http.Redirect(w, r, "/there", http.StatusFound)
			}
		}, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, "127.0.0.1", "127.0.0.2")
		_, _, err := get(t, b.client(), url)
		if !redirect {
			if err != nil {
				t.Fatal(err)
			}
			b.CloseIdle()
			next()
			_, _, err = get(t, b.client(), url)
		}
		if err == nil || !strings.Contains(err.Error(), ErrAddress.Error()) || hits != 1 {
			t.Errorf("redirect %v: %v, %d hits", redirect, err, hits)
		}
		if n := len(b.all(t)); n != 2 {
			t.Errorf("redirect %v: %d records", redirect, n)
		}
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
	d := NewPool(nil)
	first := d.of("a", "p", loopback)
	if first.Proxy != nil {
		t.Error("there is a proxy")
	}
	same := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8")}
	for name, other := range map[string]*http.Transport{
		"networks": d.of("a", "p", same), "a holder": d.of("b", "p", loopback), "a credential": d.of("a", "q", loopback),
	} {
		if other == first {
			t.Errorf("%s of another: the same connections", name)
		}
	}
	if d.of("a", "p", []netip.Prefix{same[1], same[0]}) != d.of("a", "p", same) || d.of("a", "p", loopback) != first {
		t.Error("what is the same has other connections")
	}
	for i := range 2 * maxUsers {
		d.of(strconv.Itoa(i), "p", nil)
	}
	if n := d.users.Len(); n != maxUsers {
		t.Errorf("%d users", n)
	}
}
