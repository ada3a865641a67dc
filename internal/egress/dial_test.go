// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/keyward-go/keyward/vault"
)

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
