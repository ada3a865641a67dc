// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// attackExtend adds a block of any content under a right tag, as any holder of a token can without keyward's help.
func attackExtend(tok vault.Token, blocks ...attackBlock) vault.Token {
	b, err := vault.DecodeTokenText(tok.Reveal())
	if err != nil {
		panic(err)
	}
	tag := b[len(b)-attackTag:]
	b = bytes.Clone(b[:len(b)-attackTag])
	for _, block := range blocks {
		raw := block.bytes()
		b[attackHead]++
		b, tag = append(b, raw...), vault.ChainTag(tag, raw)
	}
	return vault.NewToken(vault.EncodeTokenText(append(b, tag...)))
}

// attackNarrowing is a narrowing of any content. Fields without data are left out.
func attackNarrowing(fields map[byte]string) attackBlock {
	b := attackBlock{kind: 2}
	for n := byte(1); n < 20; n++ {
		data := fields[n]
		if n == 1 && data == "" {
			data = fmt.Sprintf("%016x", rand.Uint64())
		}
		if data != "" {
			b.fields = append(b.fields, attackField{n, []byte(data)})
		}
	}
	return b
}

func attackNumber(n int64) string { return string(binary.BigEndian.AppendUint64(nil, uint64(n))) }

// TestAttackByHand adds blocks to a token without keyward's help. None of them widens it.
func TestAttackByHand(t *testing.T) {
	a := attack(t)
	g := attackParent()
	g.Scopes = scope.MustParse("secrets:use:*", "secrets:read:"+attackPath)
	tok := a.issue(g).Token()
	at := func(tok vault.Token) *vault.Session { return a.v.Session(tok, attackHome) }
	with := func(fields map[byte]string) *vault.Session { return at(attackExtend(tok, attackNarrowing(fields))) }
	far := attackNumber(a.clock.now().AddDate(100, 0, 0).Unix())
	tries := []try{
		allow("a scope", "get", getting(with(map[byte]string{4: "secrets:read:" + attackPath}), attackPath)),
		allow("all scopes, where the parent has one", "get", getting(with(map[byte]string{4: "secrets:*:*"}), attackPath)),
		deny("all scopes, where the parent has none", "get", vault.ErrDenied, "scope", getting(with(map[byte]string{4: "secrets:*:*"}), attackOther)),
		deny("all networks", "get", vault.ErrDeadToken, "network", getting(a.v.Session(attackExtend(tok, attackNarrowing(map[byte]string{11: "0.0.0.0/0"})), netip.MustParseAddr("8.8.8.8")), attackPath)),
		deny("an opening", "get", vault.ErrDeadToken, "spawn_ended", getting(with(map[byte]string{12: strings.Repeat("o", 16)}), attackPath)),
		deny("an end in the past", "get", vault.ErrDeadToken, "expired", getting(with(map[byte]string{3: attackNumber(1)}), attackPath)),
	}
	for name, fields := range map[string]map[byte]string{
		"another agent": {5: "admin"}, "an agent beside": {5: "researcher2"}, "the same agent": {5: "researcher"}, "an agent with a path": {5: "researcher/../x"},
		"another run": {6: "run-2"}, "another user": {7: "u2"}, "another tenant": {8: "t2"}, "an id of 15 bytes": {1: strings.Repeat("i", 15), 9: "d"},
		"an id of 17 bytes": {1: strings.Repeat("i", 17), 9: "d"}, "nothing": {}, "only a beginning": {2: attackNumber(5)}, "an end before its beginning": {2: far, 3: attackNumber(5)},
		"an opening of 15 bytes": {12: strings.Repeat("o", 15)}, "field 13": {9: "d", 13: "x"}, "a description of 257 bytes": {9: strings.Repeat("d", 257)},
	} {
		tries = append(tries, deny(name, "get", vault.ErrDeadToken, "bad_token", getting(with(fields), attackPath)))
	}
	for _, kind := range []byte{0, 1, 3, 4} {
		b := attackNarrowing(map[byte]string{2: attackNumber(a.clock.now().Unix()), 3: far, 4: "secrets:*:*", 5: "admin"})
		b.kind = kind
		tries = append(tries, deny(fmt.Sprintf("a block of type %d", kind), "get", vault.ErrDeadToken, "bad_token", getting(at(attackExtend(tok, b)), attackOther)))
	}
	a.run(tries...)

	later := attackExtend(a.issue(vault.Grant{TTL: time.Minute}).Token(), attackNarrowing(map[byte]string{3: far}))
	more := attackExtend(a.issue(vault.Grant{MaxUses: 1}).Token(), attackNarrowing(map[byte]string{10: attackNumber(1 << 40)}))
	a.run(allow("a later end", "get", getting(at(later), attackPath)), allow("more uses", "get", getting(at(more), attackPath)),
		deny("more uses", "get", vault.ErrDeadToken, "used_up", getting(at(more), attackPath)))
	a.clock.add(time.Minute)
	a.run(deny("a later end", "get", vault.ErrDeadToken, "expired", getting(at(later), attackPath)), allow("another", "get", getting(at(tok), attackPath)))
}

// TestAttackDepth: eight links, however they are made.
func TestAttackDepth(t *testing.T) {
	a := attack(t)
	a.clock.add(time.Since(a.clock.now()))
	s := a.issue(vault.Grant{Description: "0"})
	tok := s.Token()
	var err error
	for i := 1; i < 8; i++ {
		g := vault.Grant{Description: fmt.Sprint(i)}
		if s, err = s.Issue(t.Context(), g); err != nil {
			t.Fatalf("link %d: %v", i+1, err)
		}
		if tok, err = tok.Narrow(g); err != nil {
			t.Fatalf("link %d offline: %v", i+1, err)
		}
	}
	if _, err := tok.Narrow(vault.Grant{Description: "9"}); !errors.Is(err, vault.ErrInvalid) {
		t.Errorf("the ninth link offline: %v", err)
	}
	local := netip.Addr{}
	nine := attackExtend(tok, attackNarrowing(map[byte]string{9: "d"}))
	a.run(
		allow("eight links", "get", getting(s, attackPath)),
		allow("eight links offline", "get", getting(a.v.Session(tok, local), attackPath)),
		deny("the ninth link", "issue", vault.ErrInvalid, "invalid", func() error { _, err := s.Issue(context.Background(), vault.Grant{Description: "9"}); return err }),
		deny("the ninth link by hand", "get", vault.ErrDeadToken, "bad_token", getting(a.v.Session(nine, local), attackPath)),
	)
	// A chain that the key holder's own name makes too long for 4 KiB.
	big := a.issue(vault.Grant{}).Token()
	scopes := make([]string, 0, 64)
	for i := range 64 {
		scopes = append(scopes, fmt.Sprintf("secrets:read:production/search/%060d", i))
	}
	if n, err := big.Narrow(vault.Grant{Scopes: scope.MustParse(scopes...)}); !errors.Is(err, vault.ErrInvalid) || n.Reveal() != "" {
		t.Errorf("a token over 4 KiB: %v", err)
	}
	if s, err := a.op.Issue(t.Context(), vault.Grant{Agent: "a", TTL: time.Hour, Scopes: scope.MustParse(scopes...)}); !errors.Is(err, vault.ErrInvalid) || s != nil {
		t.Errorf("a token over 4 KiB was issued: %v", err)
	}
}

// attackModel says what a chain of narrowings may do, from its text alone.
type attackModel struct {
	scopes   [][]string
	networks [][]string
	ends     []time.Time
	limits   []*int
}

func (m *attackModel) allows(action, path string, from netip.Addr, now time.Time) bool {
	for _, scopes := range m.scopes {
		ok := scopes == nil
		for _, s := range scopes {
			parts := strings.Split(s, ":")
			does := parts[1] == action || parts[1] == "*" || parts[1] == "read" && (action == "use" || action == "list") || parts[1] == "use" && action == "list"
			under, tree := strings.CutSuffix(parts[2], "*")
			ok = ok || does && (path == parts[2] || tree && strings.HasPrefix(path, under))
		}
		if !ok {
			return false
		}
	}
	for _, networks := range m.networks {
		ok := networks == nil
		for _, n := range networks {
			ok = ok || netip.MustParsePrefix(n).Contains(from)
		}
		if !ok {
			return false
		}
	}
	for _, end := range m.ends {
		if !now.Before(end) {
			return false
		}
	}
	for _, left := range m.limits {
		if *left <= 0 {
			return false
		}
	}
	return true
}

// TestAttackChains holds random chains of narrowings, most of them wider somewhere than what they narrow, against the model:
// an access needs the consent of every link.
func TestAttackChains(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	r := rand.New(rand.NewPCG(1, 2))
	paths := []string{"a/x", "a/y", "a/b/x", "c"}
	for _, p := range paths {
		if _, err := a.op.Put(ctx, vault.Item{Path: p, Value: vault.NewSecret(attackValue)}); err != nil {
			t.Fatal(err)
		}
	}
	some := func(n int, of ...string) (out []string) {
		for range 1 + r.IntN(n) {
			out = append(out, of[r.IntN(len(of))])
		}
		return out
	}
	scopes := func() (out []string) {
		for _, p := range some(3, "*", "*", "a/*", "a/*", "a/b/*", "a/x", "c") {
			out = append(out, "secrets:"+some(1, "*", "*", "read", "read", "use", "write", "list")[0]+":"+p)
		}
		return strings.Fields(scope.MustParse(out...).String())
	}
	addrs := []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("10.2.0.1"), netip.MustParseAddr("11.0.0.1"), netip.MustParseAddr("fd00::1")}
	checks, granted := 0, 0
	for range 400 {
		first := scopes()
		m := &attackModel{scopes: [][]string{first}}
		tok := a.issue(vault.Grant{Scopes: scope.MustParse(first...), TTL: time.Hour}).Token()
		for range r.IntN(8) {
			f := map[byte]string{9: "d"}
			if r.IntN(2) == 0 {
				s := scopes()
				m.scopes, f[4] = append(m.scopes, s), strings.Join(s, " ")
			}
			if r.IntN(4) == 0 {
				end := a.clock.now().Add(time.Duration(1+r.IntN(90)) * time.Second)
				m.ends, f[3] = append(m.ends, end), attackNumber(end.Unix())
			}
			if r.IntN(4) == 0 {
				left := 1 + r.IntN(6)
				m.limits, f[10] = append(m.limits, &left), attackNumber(int64(left))
			}
			if r.IntN(4) == 0 {
				n := [][]string{{"10.0.0.0/8"}, {"10.1.0.0/16", "fd00::/8"}, {"0.0.0.0/0"}, {"::/0", "10.0.0.0/8"}}[r.IntN(4)]
				m.networks, f[11] = append(m.networks, n), strings.Join(n, " ")
			}
			tok = attackExtend(tok, attackNarrowing(f))
		}
		a.clock.add(time.Duration(r.IntN(30)) * time.Second)
		for range 16 {
			from, path, action := addrs[r.IntN(len(addrs))], paths[r.IntN(len(paths))], some(1, "read", "use", "write", "list")[0]
			s := a.v.Session(tok, from)
			var err error
			switch action {
			case "read":
				err = attackGet(s, path)
			case "use":
				err = s.Use(ctx, vault.Request{Path: path}, func(vault.Item) error { return nil })
			case "write":
				_, err = s.Put(ctx, vault.Item{Path: path, Value: vault.NewSecret(attackValue)})
			case "list":
				_, err = s.Versions(ctx, vault.Request{Path: path})
			}
			want := m.allows(action, path, from, a.clock.now())
			if got := err == nil; got != want || !got && !errors.Is(err, vault.ErrDenied) {
				t.Fatalf("%s %s from %s: got %v, want %v: %v", action, path, from, err, want, m)
			}
			if checks++; want {
				granted++
			}
			for _, left := range m.limits {
				if want && action != "list" {
					*left--
				}
			}
		}
	}
	if checks < 5000 || granted < 500 || checks-granted < 500 {
		t.Errorf("%d checks, %d granted", checks, granted)
	}
	t.Logf("%d checks, %d granted", checks, granted)
}
