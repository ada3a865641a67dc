// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"net/netip"
	"testing"
)

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
