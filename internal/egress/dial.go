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

// maxPools bounds how many sets of networks have a pool of connections at once.
const maxPools = 16

// dialers holds a transport for each set of networks: a connection that was made under one policy is never used under another.
type dialers struct {
	roots    *x509.CertPool
	resolver *net.Resolver // of tests; nil: the system's

	mu    sync.Mutex
	pools []pool // the one that was used last is at the end
}

type pool struct {
	networks  string
	transport *http.Transport
}

func (d *dialers) of(networks []netip.Prefix) *http.Transport {
	texts := make([]string, len(networks))
	for i, p := range networks {
		texts[i] = p.String()
	}
	slices.Sort(texts)
	key := strings.Join(texts, " ")

	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.pools, func(p pool) bool { return p.networks == key })
	var p pool
	switch {
	case i >= 0:
		p = d.pools[i]
		d.pools = slices.Delete(d.pools, i, i+1)
	case len(d.pools) == maxPools:
		d.pools[0].transport.CloseIdleConnections()
		d.pools = slices.Delete(d.pools, 0, 1)
		fallthrough
	default:
		p = pool{key, d.transport(slices.Clone(networks))}
	}
	d.pools = append(d.pools, p)
	return p.transport
}

func (d *dialers) closeIdle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.pools {
		p.transport.CloseIdleConnections()
	}
}

// transport returns one that dials within networks only. The check is of the address that the socket connects to, each time: what a
// name resolved to before does not count. There is no proxy.
func (d *dialers) transport(networks []netip.Prefix) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: d.resolver}
	dialer.ControlContext = func(_ context.Context, network, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !strings.HasPrefix(network, "tcp") || !allowed(to.Addr(), networks) {
			return errAddress
		}
		return nil
	}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: d.roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 1 << 20,
	}
}
