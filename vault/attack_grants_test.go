// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// attackWidth is a grant that goes beyond the one it is made from.
type attackWidth struct {
	name string
	g    vault.Grant
}

func attackNets(prefixes ...string) (out []netip.Prefix) {
	for _, p := range prefixes {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// attackParent is the grant that the next table goes beyond.
func attackParent() vault.Grant {
	return vault.Grant{
		Agent: "researcher", Run: "run-1", User: "u1", Tenant: "t1", Description: "d", MaxUses: 10, TTL: time.Hour,
		Scopes: scope.MustParse("secrets:use:production/search/*", "secrets:read:"+attackPath), Networks: attackNets("10.0.0.0/8", "fd00::/8"),
	}
}

func attackWider() (out []attackWidth) {
	wide := func(name string, g vault.Grant) { out = append(out, attackWidth{name, g}) }
	for _, s := range []string{
		"secrets:read:production/search/*", "secrets:use:production/*", "secrets:use:*", "secrets:*:" + attackPath, "secrets:write:" + attackPath,
		"secrets:delete:" + attackPath, "secrets:use:production/search", "secrets:use:production/search2/*", "secrets:use:Production/search/*",
		"secrets:read:production/search/key/*", "secrets:read:production/search/key2", "secrets:*:*",
	} {
		wide("scope "+s, vault.Grant{Scopes: scope.MustParse(s)})
		wide("scope "+s+" beside one that is allowed", vault.Grant{Scopes: scope.MustParse(s, "secrets:use:production/search/a")})
	}
	for _, ttl := range []time.Duration{time.Hour + time.Second, 2 * time.Hour, 24 * time.Hour, 30 * 24 * time.Hour, 31 * 24 * time.Hour, math.MaxInt64, math.MinInt64, -1, 1, 999 * time.Millisecond} {
		wide("TTL "+ttl.String(), vault.Grant{TTL: ttl})
	}
	for _, n := range []int{11, 100, math.MaxInt, -1, math.MinInt} {
		wide(fmt.Sprintf("%d uses", n), vault.Grant{MaxUses: n})
	}
	for _, n := range []string{"0.0.0.0/0", "11.0.0.0/8", "10.0.0.0/7", "8.0.0.0/6", "::/0", "fc00::/7", "fe80::/10", "192.168.0.1/32", "::ffff:10.0.0.0/104", "10.0.0.1/8"} {
		wide("network "+n, vault.Grant{Networks: attackNets(n)})
		wide("network "+n+" beside one that is allowed", vault.Grant{Networks: attackNets("10.1.0.0/16", n)})
	}
	wide("17 networks", vault.Grant{Networks: func() (out []netip.Prefix) {
		for i := range 17 {
			out = append(out, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16))
		}
		return out
	}()})
	wide("an invalid network", vault.Grant{Networks: []netip.Prefix{{}}})
	for _, n := range []string{
		"researcher2", "researcher/", "researcher/../x", "researcher", "Researcher", "Researcher/x", "researche", "admin", "admin/researcher", "x/researcher/x",
		"/researcher", "researcher//x", "researcher/.", "researcher/x y", "researcher-x", "researcher_/x", "researcher\x00/x", "researcher/\u0430", "researcher\u2215x",
		"researcher/" + strings.Repeat("n", 65), "researcher" + strings.Repeat("/abcdefghi", 12),
	} {
		wide("agent "+n, vault.Grant{Agent: n})
	}
	for _, n := range []string{"u2", "U1", "u1 ", "u1/x", "t1"} {
		wide("user "+n, vault.Grant{User: n})
	}
	for _, n := range []string{"run-2", "RUN-1", "run-1/x", "run-1\n"} {
		wide("run "+n, vault.Grant{Run: n})
	}
	for _, n := range []string{"t2", "T1", "t1/x", "t1\x00"} {
		wide("tenant "+n, vault.Grant{Tenant: n})
	}
	wide("description of 257 bytes", vault.Grant{Description: strings.Repeat("d", 257)})
	wide("nothing at all", vault.Grant{})
	return out
}

// attackNarrower may be made from attackParent.
var attackNarrower = []vault.Grant{
	{Scopes: scope.MustParse("secrets:use:" + attackPath)}, {Scopes: scope.MustParse("secrets:list:production/search/*", "secrets:read:"+attackPath)},
	{TTL: time.Second}, {TTL: 30 * time.Minute}, {MaxUses: 1}, {MaxUses: 10}, {Networks: attackNets("10.1.2.3/32")}, {Networks: attackNets("fd00:1::/32")},
	{Agent: "researcher/x"}, {Agent: "researcher/researcher"}, {Agent: "researcher/x/y"}, {Run: "run-1"}, {User: "u1", Tenant: "t1"}, {Description: "d2"},
}

// TestAttackWiden tries to widen a token in every field, through the vault and offline.
func TestAttackWiden(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	s := a.v.Session(a.issue(attackParent()).Token(), attackHome)
	var tries []try
	for _, w := range attackWider() {
		tries = append(tries, deny(w.name, "issue", errAttackRefused, "", func() error {
			_, err := s.Issue(ctx, w.g)
			return attackRefusal(err)
		}))
		if w.name == "nothing at all" {
			continue // Spawn ends what it makes, which narrows
		}
		tries = append(tries, deny(w.name+" by Spawn", "issue", errAttackRefused, "", func() error {
			return attackRefusal(s.Spawn(ctx, w.g, func(context.Context, *vault.Session) error { return nil }))
		}))
	}
	for i, g := range attackNarrower {
		tries = append(tries, allow(fmt.Sprintf("narrower %d", i), "issue", func() error { _, err := s.Issue(ctx, g); return err }))
	}
	a.run(tries...)

	// Offline there is no injected clock.
	a.clock.add(time.Since(a.clock.now()))
	tok := a.issue(attackParent()).Token()
	for _, w := range attackWider() {
		if n, err := tok.Narrow(w.g); !errors.Is(err, vault.ErrInvalid) || n.Reveal() != "" {
			t.Errorf("offline: %s: %v", w.name, err)
		}
	}
	for i, g := range attackNarrower {
		if n, err := tok.Narrow(g); err != nil || n.Reveal() == tok.Reveal() {
			t.Errorf("offline: narrower %d: %v", i, err)
		}
	}
	for _, other := range []vault.Token{{}, vault.NewToken("kw_tok_"), vault.NewToken(attackMark), func() vault.Token { k, _ := a.newKey(vault.Key{}); return k }()} {
		if _, err := other.Narrow(vault.Grant{Description: "d"}); !errors.Is(err, vault.ErrInvalid) || strings.Contains(err.Error(), attackMark) {
			t.Errorf("what is not a token was narrowed: %v", err)
		}
	}
	t.Logf("%d cases", len(tries)+len(attackWider())+len(attackNarrower))
}

// errAttackRefused is either way to refuse a grant: as malformed, or as more than the caller may give.
var errAttackRefused = errors.New("refused")

func attackRefusal(err error) error {
	if errors.Is(err, vault.ErrInvalid) || errors.Is(err, vault.ErrDenied) && !errors.Is(err, vault.ErrDeadToken) {
		return fmt.Errorf("%w: %w", errAttackRefused, err)
	}
	return err
}

// TestAttackLives: whatever the TTL, a token lives no longer than MaxTTL, and none lives for ever.
func TestAttackLives(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	seconds := func(n int64) time.Duration { return time.Duration(n) * time.Second }
	ttls := []time.Duration{
		0, 1, -1, 2, 999, 1e3, 1e6, 999 * time.Millisecond, time.Second - 1, time.Second, time.Second + 1, 1500 * time.Millisecond, 2*time.Second - 1, time.Minute, time.Hour,
		24*time.Hour - 1, 24 * time.Hour, 24*time.Hour + 1, 24*time.Hour + time.Second, 25 * time.Hour, 30 * 24 * time.Hour, 30*24*time.Hour + 1, 365 * 24 * time.Hour,
		seconds(1 << 31), seconds(1<<31 - 1), seconds(1 << 32), seconds(1<<32 + 1), seconds(1 << 33), seconds(9223372036), seconds(9223372037), seconds(9223372038),
		seconds(1 << 53), seconds(1 << 54), seconds(1 << 55), seconds(1 << 62), seconds(1<<62 + 1), seconds(math.MaxInt64), seconds(math.MinInt64), seconds(math.MaxInt64 / 2),
		1 << 53, 1 << 62, 1<<62 + 1, 1<<63 - 1, math.MinInt64, math.MinInt64 + 1, -time.Second, -24 * time.Hour, -1 << 62, -1 << 53, 1 << 31, 1 << 32, -1 << 31,
		math.MaxInt64 - 1, time.Duration(math.MaxInt64).Truncate(time.Second), 253402300799, seconds(253402300799), seconds(253402300800), seconds(-253402300799),
		seconds(-9223372037), seconds(18446744073), seconds(18446744074), seconds(18446744075),
	}
	const most = 24 * time.Hour
	refused := 0
	for _, ttl := range ttls {
		s, err := a.op.Issue(ctx, vault.Grant{Agent: "a", Scopes: scope.MustParse("secrets:*:*"), TTL: ttl})
		if err != nil {
			if refused++; s != nil || attackRefusal(err) == err {
				t.Errorf("TTL %d: %v", ttl, err)
			}
			if ttl >= time.Second && ttl <= most {
				t.Errorf("TTL %d is refused: %v", ttl, err)
			}
			continue
		}
		c, err := s.Claims(ctx)
		if err != nil || ttl < time.Second || ttl > most || c[0].Expires.Sub(c[0].Issued) > most || !c[0].Expires.After(c[0].Issued) || c[0].Expires.Sub(a.clock.now()) > ttl {
			t.Errorf("TTL %d lives until %v, %v", ttl, c, err)
		}
	}
	for _, n := range []int{-1, math.MinInt, -1 << 31} {
		if _, err := a.op.Issue(ctx, vault.Grant{Agent: "a", Scopes: scope.MustParse("secrets:*:*"), TTL: time.Hour, MaxUses: n}); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%d uses: %v", n, err)
		}
	}
	a.run(
		allow("MaxInt uses", "get", getting(a.issue(vault.Grant{MaxUses: math.MaxInt}), attackPath)),
		allow("no limit", "get", getting(a.issue(vault.Grant{}), attackPath)),
	)
	one := a.issue(vault.Grant{MaxUses: 1})
	a.run(allow("the only use", "get", getting(one, attackPath)), deny("one more", "get", vault.ErrDeadToken, "used_up", getting(one, attackPath)))
	keys := 0
	for _, end := range []time.Time{
		{}, a.clock.now(), a.clock.now().Add(time.Second - 1), a.clock.now().Add(-time.Second), a.clock.now().Add(366*24*time.Hour + time.Second), time.Unix(1<<62, 0), time.Unix(-1<<62, 0),
		time.Unix(253402300800, 0), time.Unix(0, 0), time.Unix(-1, 0), a.clock.now().AddDate(1000, 0, 0),
	} {
		if _, _, err := a.op.NewKey(ctx, vault.Key{Name: "k", Limits: vault.Grant{Scopes: scope.MustParse("secrets:*:*")}, Expires: end}, ""); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("a key until %v: %v", end, err)
		}
		keys++
	}
	t.Logf("%d lives, %d of them refused; %d ends of keys refused", len(ttls), refused, keys)
}
