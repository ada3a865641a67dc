// SPDX-License-Identifier: Apache-2.0

package front

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

// Guard knows whom a front serves. It is safe for concurrent use.
type Guard struct {
	hosts   []string
	origins *http.CrossOriginProtection
	proxies []netip.Prefix
}

// NewGuard returns a Guard. hosts are the names and addresses, without a port, by which clients call; none: localhost, 127.0.0.1
// and ::1. A request for any other is refused, so that no web page reaches the front under a name of its own. origins are those
// whose pages may call; requests without an Origin come from programs and are not concerned. proxies are networks whose
// X-Forwarded-For is believed. Errors: vault.ErrInvalid.
func NewGuard(hosts, origins []string, proxies []netip.Prefix) (*Guard, error) {
	g := &Guard{hosts: slices.Clone(hosts), origins: http.NewCrossOriginProtection(), proxies: slices.Clone(proxies)}
	if len(hosts) == 0 {
		g.hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	for i, name := range g.hosts {
		if name != hostname(name) || name == "" || strings.ContainsAny(name, "/*@ ") {
			return nil, fmt.Errorf("%w: Config.Hosts: entry %d: a lower-case name or an address, without scheme and port, as vault.example.com", vault.ErrInvalid, i+1)
		}
	}
	for i, o := range origins {
		if g.origins.AddTrustedOrigin(o) != nil {
			return nil, fmt.Errorf("%w: Config.Origins: entry %d: scheme and host, as https://console.example.com", vault.ErrInvalid, i+1)
		}
	}
	return g, nil
}

// Serves reports whether r is for a host of the front, and from no page of another origin.
func (g *Guard) Serves(r *http.Request) bool {
	if r.Method == http.MethodConnect || !slices.Contains(g.hosts, hostname(r.Host)) {
		return false
	}
	post := *r // the check of net/http lets methods pass that change nothing; here each is recorded
	post.Method = http.MethodPost
	if len(r.Header["Origin"]) > 1 || len(r.Header["Sec-Fetch-Site"]) > 1 || g.origins.Check(&post) != nil {
		return false
	}
	post.Header = http.Header{"Origin": r.Header["Origin"]} // that check believes Sec-Fetch-Site alone, where it is there
	return g.origins.Check(&post) == nil
}

// From returns the address that r comes from; the zero Addr for a Unix socket's. A proxy that was named has appended the address
// that it saw: what stands before that is anybody's.
func (g *Guard) From(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	from := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && g.isProxy(from); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		from = hop.Unmap()
	}
	return from
}

func (g *Guard) isProxy(a netip.Addr) bool {
	return slices.ContainsFunc(g.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Bearer returns the text of the one bearer that r carries in Authorization, or "".
func Bearer(r *http.Request) string {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return ""
	}
	scheme, text, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(text)
}

// NoStore sets the headers that every answer has: it is nobody's to keep, and no page.
func NoStore(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// Challenge sets the header of a 401. RFC 6750: who presented nothing is not told that it was invalid.
func Challenge(h http.Header, r *http.Request) {
	challenge := `Bearer realm="keyward"`
	if r.Header.Get("Authorization") != "" {
		challenge += `, error="invalid_token"`
	}
	h.Set("WWW-Authenticate", challenge)
}

// hostname is a Host without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	return strings.ToLower(host)
}
