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
)

// maxSets bounds how many sets of networks have connections at once.
const maxSets = 16

// Pool holds the connections to upstreams, a transport for each set of networks: one that was made under one policy is never used
// under another. It is safe for concurrent use.
type Pool struct {
	roots    *x509.CertPool
	resolver *net.Resolver // of tests; nil: the system's

	mu   sync.Mutex
	sets []set // the one that was used last is at the end
}

// NewPool returns a pool without connections. roots are the authorities of upstreams; nil: the system's.
func NewPool(roots *x509.CertPool) *Pool { return &Pool{roots: roots} }

type set struct {
	networks  string
	transport *http.Transport
}

func (p *Pool) of(networks []netip.Prefix) *http.Transport {
	texts := make([]string, len(networks))
	for i, n := range networks {
		texts[i] = n.String()
	}
	slices.Sort(texts)
	key := strings.Join(texts, " ")

	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.sets, func(s set) bool { return s.networks == key })
	var s set
	switch {
	case i >= 0:
		s = p.sets[i]
		p.sets = slices.Delete(p.sets, i, i+1)
	case len(p.sets) == maxSets:
		p.sets[0].transport.CloseIdleConnections()
		p.sets = slices.Delete(p.sets, 0, 1)
		fallthrough
	default:
		s = set{key, p.transport(slices.Clone(networks))}
	}
	p.sets = append(p.sets, s)
	return s.transport
}

// CloseIdle closes the connections that are not in use.
func (p *Pool) CloseIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sets {
		s.transport.CloseIdleConnections()
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
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 1 << 20,
	}
}
