// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

// Listening says how Listen listens. Its fields may be zero.
type Listening struct {
	// TLS is the certificate, for an address that others can reach. It is not for Unix sockets.
	TLS *tls.Config
	// Mode and Group say which users may connect to a Unix socket, and they are for these only. Mode zero: 0600, the user of this
	// process alone. Group is a name or a number; empty: the group of this process. Who may write to the folder of the socket can
	// put another in its place: where that is everyone, and the folder is not sticky as /tmp is, nothing listens.
	Mode  fs.FileMode
	Group string
}

// Listen opens addr: a host and port, as in "127.0.0.1:7423" or "localhost:0", or a Unix socket, as in "unix:/run/keyward.sock".
// A socket that nobody listens on is replaced, and nothing else is: what is in the way otherwise is vault.ErrInvalid, and
// vault.ErrConflict if another process listens there. Closing the listener removes its socket. An address that others can reach is
// vault.ErrInvalid without TLS: tokens are not for the open network.
func Listen(ctx context.Context, addr string, how Listening) (net.Listener, error) {
	l, err := how.listen(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return l, nil
}

func (how Listening) listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		if how.TLS != nil {
			return nil, fmt.Errorf("%w: a Unix socket has no use for a certificate", vault.ErrInvalid)
		}
		return how.listenUnix(ctx, &lc, path)
	}
	if how.Mode != 0 || how.Group != "" {
		return nil, fmt.Errorf("%w: a mode and a group are for Unix sockets", vault.ErrInvalid)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%w: address: host:port, or unix:/path", vault.ErrInvalid)
	}
	a, err := netip.ParseAddr(host)
	if local := host == "localhost" || err == nil && a.Unmap().IsLoopback(); !local && how.TLS == nil {
		return nil, fmt.Errorf("%w: %s can be reached from outside: give a certificate, or listen on 127.0.0.1 or a Unix socket", vault.ErrInvalid, addr)
	}
	l, err := lc.Listen(ctx, "tcp", addr)
	if err == nil && how.TLS != nil {
		l = tls.NewListener(l, how.TLS)
	}
	return l, err
}
