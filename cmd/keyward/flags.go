// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// positive is a flag with a number from 1 on: what none would mean is said by leaving the flag out.
type positive int

func (n *positive) Set(text string) error {
	i, err := strconv.Atoi(text)
	if err != nil || i < 1 {
		return usagef("a number from 1 on")
	}
	*n = positive(i)
	return nil
}

func (n *positive) String() string {
	if *n == 0 {
		return ""
	}
	return strconv.Itoa(int(*n))
}

func (*positive) Type() string { return "N" }

// span is a flag with a duration, in days too.
type span time.Duration

func (s *span) Set(text string) error {
	d, err := parseSpan(text)
	*s = span(d)
	return err
}

func (s *span) String() string {
	if *s == 0 {
		return ""
	}
	return time.Duration(*s).String()
}

func (*span) Type() string { return "DURATION" }

func parseSpan(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(n) * 24 * time.Hour
		if n > 100*366 {
			d = 0
		}
	}
	if err != nil || d <= 0 {
		return 0, usagef("a duration is like 30m, 12h or 90d")
	}
	return d, nil
}

// moment is a flag with a time: one of RFC 3339, a date (its beginning in UTC), or a duration from now.
type moment struct{ time.Time }

func (m *moment) Set(text string) (err error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if m.Time, err = time.Parse(layout, text); err == nil && !m.IsZero() { // the zero time would mean that none was said
			return nil
		}
	}
	d, err := parseSpan(text)
	if err != nil {
		return usagef("a time is like 90d, 2027-01-31 or 2027-01-31T12:00:00Z")
	}
	m.Time = time.Now().Add(d).Truncate(time.Second)
	return nil
}

func (m *moment) String() string {
	if m.IsZero() {
		return ""
	}
	return m.Format(time.RFC3339)
}

func (*moment) Type() string { return "TIME" }

// networks is a flag that may be repeated: a network, or an address alone.
type networks []netip.Prefix

func (n *networks) Set(text string) error {
	p, err := netip.ParsePrefix(text)
	if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
		p, err = addr.Prefix(addr.BitLen())
	}
	if err != nil {
		return usagef("a network is like 10.0.0.0/8, fd00::/8 or 127.0.0.1")
	}
	*n = append(*n, p)
	return nil
}

func (n *networks) String() string { return strings.Join(texts(*n), " ") }

func (*networks) Type() string { return "CIDR" }

func texts(prefixes []netip.Prefix) (out []string) {
	for _, p := range prefixes {
		out = append(out, p.String())
	}
	return out
}
