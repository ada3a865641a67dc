// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hostEntry is a parsed entry of Policy.Hosts.
type hostEntry struct {
	methods []string // empty: any
	origin
	prefix string // empty, or begins with a slash and does not end with one
}

// destination is where a use goes, as its record shows it.
type destination struct {
	method string // empty: it goes nowhere
	origin        // zero: the one of the policy
	path   string // escaped
}

// origin is a server, whatever is asked of it.
type origin struct {
	scheme string
	host   string
	port   int
}

// String is host, or host:port where the port is not the scheme's.
func (o origin) String() string {
	if o.host == "" || o.port == defaultPort(o.scheme) {
		return o.host
	}
	return o.host + ":" + strconv.Itoa(o.port)
}

func parseHost(entry string) (hostEntry, error) {
	e := hostEntry{origin: origin{scheme: "https"}}
	rest := entry
	if methods, after, ok := strings.Cut(entry, " "); ok {
		rest = after
		e.methods = strings.Split(methods, ",")
		for i, m := range e.methods {
			if !isMethod(m) || i > 0 && m <= e.methods[i-1] {
				return e, fmt.Errorf("methods are upper-case words in the order of letters, joined by commas")
			}
		}
	}
	if strings.HasPrefix(rest, "https://") {
		return e, fmt.Errorf("leave out https://, which is meant where there is no scheme")
	}
	if after, ok := strings.CutPrefix(rest, "http://"); ok {
		e.scheme, rest = "http", after
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		rest, e.prefix = rest[:i], rest[i:]
		if strings.HasSuffix(e.prefix, "/") || !isURLPath(e.prefix) {
			return e, fmt.Errorf("prefix is a plain URL path that does not end with a slash")
		}
	}
	var err error
	if e.host, e.port, err = parseAuthority(rest, e.scheme); err == nil && e.port == defaultPort(e.scheme) && strings.HasSuffix(rest, fmt.Sprintf(":%d", e.port)) {
		err = fmt.Errorf("leave out the port %d, which is the scheme's", e.port)
	}
	return e, err
}

func isMethod(m string) bool {
	return m != "" && len(m) <= 16 && strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// parseAuthority reads host[:port]. One spelling: lower case, no trailing dot, no brackets but around IPv6.
func parseAuthority(s, scheme string) (host string, port int, err error) {
	host, port = s, defaultPort(scheme)
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		port, err = strconv.Atoi(s[i+1:])
		if err != nil || port < 1 || port > 65535 || strconv.Itoa(port) != s[i+1:] {
			return "", 0, fmt.Errorf("port is a number from 1 to 65535")
		}
		host = s[:i]
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !a.Is6() || a.Is4In6() || a.Zone() != "" || host != "["+a.String()+"]" {
			return "", 0, fmt.Errorf("IPv6 address in brackets, in its shortest form")
		}
		return host, port, nil
	}
	if !isHostname(host) {
		return "", 0, fmt.Errorf("host is a lower-case name or an IP address, without wildcard or trailing dot")
	}
	return host, port, nil
}

// isHostname accepts lower-case DNS names and dotted IPv4. A name whose last label is a number must be an IPv4 address in
// its usual form: 0x7f.1 and 127.1 are read as addresses by some dialers.
func isHostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		last = label
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	if last[0] >= '0' && last[0] <= '9' {
		a, err := netip.ParseAddr(s)
		return err == nil && a.String() == s
	}
	return true
}

func defaultPort(scheme string) int {
	if scheme == "http" {
		return 80
	}
	return 443
}

// likeSyntax are characters that a server which normalizes text (Unicode's NFKC) takes for dots, slashes, backslashes and percent
// signs.
const likeSyntax = "\u2024\u2025\u2026\ufe52\uff0e\uff0f\ufe68\uff3c\ufe6a\uff05"

// isURLPath accepts an escaped URL path that no server can resolve to another one: no dot segments, no escaped slash,
// dot, backslash or control character.
func isURLPath(p string) bool {
	if p == "" {
		return true
	}
	if p[0] != '/' || len(p) > maxURL {
		return false
	}
	for _, c := range []byte(p) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	plain, err := url.PathUnescape(p)
	if err != nil || strings.Count(plain, "/") != strings.Count(p, "/") || strings.ContainsAny(p, "?#") {
		return false
	}
	for _, c := range []byte(plain) {
		if c < ' ' || c == 0x7f || c == '\\' || c == '%' {
			return false
		}
	}
	if strings.ContainsAny(plain, likeSyntax) {
		return false
	}
	for segment := range strings.SplitSeq(plain[1:], "/") {
		name, _, _ := strings.Cut(segment, ";") // some servers cut parameters off
		if name != "" && strings.TrimFunc(name, func(c rune) bool { return c == '.' || unicode.IsSpace(c) }) == "" {
			return false
		}
	}
	return utf8.ValidString(plain)
}

var errURLPath = errors.New("URL: a plain path without query, fragment, dot segments or escaped slashes")

// parseDestination reads the URL of a use.
func parseDestination(method, raw string) (destination, error) {
	if method == "" {
		method = "GET"
	}
	if raw == "" || len(raw) > maxURL {
		return destination{}, fmt.Errorf("URL: 1 to %d bytes", maxURL)
	}
	if !isMethod(method) {
		return destination{}, fmt.Errorf("method is an upper-case word")
	}
	d := destination{method: method}
	var rest string
	switch {
	case raw[0] == '/' && !strings.HasPrefix(raw, "//"):
		if d.path = raw; !isURLPath(d.path) {
			return destination{}, errURLPath
		}
		return d, nil
	case strings.HasPrefix(raw, "https://"):
		d.scheme, rest = "https", raw[len("https://"):]
	case strings.HasPrefix(raw, "http://"):
		d.scheme, rest = "http", raw[len("http://"):]
	default:
		return d, fmt.Errorf("URL: https:// or http://, in lower case, or a path")
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, d.path = rest[:i], rest[i:]
	}
	var err error
	if d.host, d.port, err = parseAuthority(authority, d.scheme); err != nil {
		return destination{}, fmt.Errorf("URL: %w", err)
	}
	if !isURLPath(d.path) {
		return destination{}, errURLPath
	}
	return d, nil
}

// CheckURL returns nil if Use takes a request with this method (GET if empty) and URL, before any policy is asked; else ErrInvalid and
// what is wrong, without the URL.
func CheckURL(method, url string) error {
	if _, err := parseDestination(method, url); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

func (e hostEntry) matches(d destination) bool {
	return e.origin == d.origin &&
		(len(e.methods) == 0 || slices.Contains(e.methods, d.method)) &&
		(d.path == e.prefix || strings.HasPrefix(d.path, e.prefix+"/"))
}

// Origin returns the scheme and host that all of p.Hosts name, as in "https://api.example.com" or "http://127.0.0.1:8080". It is empty
// if they name several, or if there are none.
func (p Policy) Origin() string {
	var hosts []hostEntry
	for _, h := range p.Hosts {
		e, err := parseHost(h)
		if err != nil {
			return ""
		}
		hosts = append(hosts, e)
	}
	o, ok := oneOrigin(hosts)
	if !ok {
		return ""
	}
	return o.scheme + "://" + o.String()
}

func oneOrigin(hosts []hostEntry) (o origin, ok bool) {
	for i, h := range hosts {
		if i > 0 && h.origin != o {
			return origin{}, false
		}
		o = h.origin
	}
	return o, len(hosts) > 0
}
