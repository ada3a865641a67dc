// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
)

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
