// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/vault"
)

// FuzzHost: an entry has one meaning, and a URL that it matches means to net/url what it means to keyward.
func FuzzHost(f *testing.F) {
	for _, s := range [][3]string{
		{"api.example.com", "GET", "https://api.example.com/v1"}, {"GET,POST api.example.com:8443/v1", "POST", "https://api.example.com:8443/v1/x;p=1/%20"}, {"http://[::1]:80/x", "", "http://[::1]/x"},
		{"8.8.8.8", "PUT", "https://8.8.8.8:443"}, {"127.1", "", "https://0x7f.0.0.1/"}, {"a..b/../%2e", "", "https://a@b/..;/%2f?x#y"}, {"b\u00fccher.de", "get", "HTTPS://b\u00fccher.de./\\"}, {"a//b", "", "https://a//b/%c0%ae"}, {"_x-y.z9", "A", "https://_x-y.z9//"}, {"api.example.com", "", "/v1/search"}, {"api.example.com", "", "//api.example.com/v1"}, {"api.example.com", "", "/"}, {"0", "", "http://[::]///////x"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, entry, method, raw string) {
		canon, err := vault.CanonHost(entry)
		if err == nil {
			again, err := vault.CanonHost(canon)
			if err != nil || again != canon {
				t.Fatalf("%q is read as %q, that as %q, %v", entry, canon, again, err)
			}
		}
		to, urlErr := vault.CanonURL(method, raw)
		matches, matchErr := vault.Matches(entry, method, raw)
		if matches && (err != nil || urlErr != nil || matchErr != nil) {
			t.Fatalf("%q matches %q, one of them malformed: %v, %v", entry, raw, err, urlErr)
		}
		if urlErr != nil {
			return
		}
		if again, err := vault.CanonURL(method, to); err != nil || again != to {
			t.Fatalf("%q is read as %q, that as %q, %v", raw, to, again, err)
		}
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatalf("%q is a destination, but no URL: %v", raw, err)
		}
		alone := strings.HasPrefix(raw, "/") // a path at the one host of a policy
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || u.ForceQuery || (u.Hostname() == "") != alone || alone && (u.Scheme != "" || matches) || strings.ToLower(u.Host) != u.Host {
			t.Fatalf("%q is a destination", raw)
		}
		named := func(p string) []string { return strings.FieldsFunc(p, func(r rune) bool { return r == '/' }) }
		if !slices.Equal(named(u.Path), named(path.Clean("/"+u.Path))) {
			t.Fatalf("%q climbs", raw)
		}
		for segment := range strings.SplitSeq(u.Path, "/") {
			if segment == "." || segment == ".." || strings.ContainsAny(segment, "\\\x00\r\n") {
				t.Fatalf("%q has a segment %q", raw, segment)
			}
		}
		if last := u.Hostname()[strings.LastIndexByte(u.Hostname(), '.')+1:]; last != "" && last[0] >= '0' && last[0] <= '9' {
			if _, err := netip.ParseAddr(u.Hostname()); err != nil {
				t.Fatalf("%q has a number that is not an address", raw)
			}
		}
		if matches {
			rest, _, _ := strings.Cut(strings.TrimPrefix(canon[strings.LastIndexByte(canon, ' ')+1:], "http://"), "/")
			if host := strings.TrimSuffix(rest, ":"+port); host != u.Hostname() && host != "["+u.Hostname()+"]" {
				t.Fatalf("%q matches %q", entry, raw)
			}
		}
	})
}
