// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Bounds of what is kept open: of connections of one user, and of users with any.
const (
	maxIdle  = 16
	maxUsers = 1024
)

// Pool holds the connections to upstreams. They are kept for one user: the holder of one token, with one credential, under one set
// of networks. An upstream that takes the body of a request for a request of its own, as some do over HTTP/1.1, would answer it
// on the connection, or take the next request there, with its credential, for the rest of that body. A Pool is safe for concurrent
// use.
type Pool struct {
	roots    *x509.CertPool
	resolver *net.Resolver // of tests; nil: the system's

	mu    sync.Mutex
	users *simplelru.LRU[user, *http.Transport]
}

type user struct{ holder, path, networks string }

// NewPool returns a pool without connections. roots are the authorities of upstreams; nil: the system's.
func NewPool(roots *x509.CertPool) *Pool {
	users, _ := simplelru.NewLRU(maxUsers, func(_ user, t *http.Transport) { t.CloseIdleConnections() }) // fails for a size below one
	return &Pool{roots: roots, users: users}
}

func (p *Pool) of(holder, path string, networks []netip.Prefix) *http.Transport {
	texts := make([]string, len(networks))
	for i, n := range networks {
		texts[i] = n.String()
	}
	slices.Sort(texts)
	u := user{holder, path, strings.Join(texts, " ")}

	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.users.Get(u)
	if !ok {
		t = p.transport(slices.Clone(networks))
		p.users.Add(u, t)
	}
	return t
}

// CloseIdle closes the connections that are not in use.
func (p *Pool) CloseIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.users.Values() {
		t.CloseIdleConnections()
	}
}

// transport returns one that dials within networks only. The check is of the address that the socket connects to, each time: what a
// name resolved to before does not count. There is no proxy.
func (p *Pool) transport(networks []netip.Prefix) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: p.resolver}
	dialer.ControlContext = func(_ context.Context, network, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !strings.HasPrefix(network, "tcp") || !allowed(to.Addr(), networks) {
			return ErrAddress
		}
		return nil
	}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: p.roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 1 << 20,
	}
}
