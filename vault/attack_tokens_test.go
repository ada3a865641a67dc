// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// attackBlock is a block of a token taken apart, to be put together in ways that keyward would not.
type attackBlock struct {
	kind   byte
	fields []attackField
}

type attackField struct {
	number byte
	data   []byte
}

func (b attackBlock) bytes() []byte {
	var body []byte
	for _, f := range b.fields {
		body = append(binary.BigEndian.AppendUint16(append(body, f.number), uint16(len(f.data))), f.data...)
	}
	return append(binary.BigEndian.AppendUint16([]byte{b.kind}, uint16(len(body))), body...)
}

// attackBlocks takes apart count ‖ blocks.
func attackBlocks(b []byte) (out []attackBlock) {
	for rest := b[1:]; len(rest) > 0; {
		n := 3 + int(binary.BigEndian.Uint16(rest[1:]))
		block := attackBlock{kind: rest[0]}
		for body := rest[3:n]; len(body) > 0; {
			m := 3 + int(binary.BigEndian.Uint16(body[1:]))
			block.fields = append(block.fields, attackField{body[0], body[3:m]})
			body = body[m:]
		}
		out, rest = append(out, block), rest[n:]
	}
	return out
}

const attackHead, attackTag = 5, 32 // version and key id in front, tag behind

// attackFull is a token with every field in each of its three links.
func attackFull(a *attacked) vault.Token {
	a.t.Helper()
	networks := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	s := a.issue(vault.Grant{
		Run: "run", User: "user", Tenant: "tenant", Description: "all that there is", MaxUses: 1 << 20, Networks: networks,
		Scopes: scope.MustParse("secrets:read:production/*", "secrets:list:*"),
	})
	g := vault.Grant{
		Agent: "researcher/x", Run: "run", User: "user", Tenant: "tenant", Description: "d", MaxUses: 1 << 10, Networks: networks,
		Scopes: scope.MustParse("secrets:read:production/*"), TTL: 20 * time.Hour,
	}
	child, err := a.v.Session(s.Token(), attackHome).Issue(context.Background(), g)
	if err != nil {
		a.t.Fatal(err)
	}
	g.Agent, g.TTL = "researcher/x/y", 19*time.Hour
	grandchild, err := child.Issue(context.Background(), g)
	if err != nil {
		a.t.Fatal(err)
	}
	return grandchild.Token()
}

// TestAttackTokenBytes changes every byte of a good token, and puts the checksum right again.
func TestAttackTokenBytes(t *testing.T) {
	a := attack(t)
	good := attackFull(a).Reveal()
	decoded, err := vault.DecodeTokenText(good)
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) func() error {
		return getting(a.v.Session(vault.NewToken(text), attackHome), attackPath)
	}
	tries := []try{allow("as it was", "get", at(good))}
	dead := func(name, text string) {
		tries = append(tries, deny(name, "get", vault.ErrDeadToken, "bad_token", at(text)))
	}
	for i, old := range decoded {
		for _, b := range []byte{old ^ 1, old ^ 0x80, ^old, 0, 0xff} {
			if b != old {
				changed := bytes.Clone(decoded)
				changed[i] = b
				dead(fmt.Sprintf("byte %d from %#x to %#x", i, old, b), vault.EncodeTokenText(changed))
			}
		}
	}
	for n := range len(decoded) {
		dead(fmt.Sprintf("cut to %d bytes", n), vault.EncodeTokenText(decoded[:n]))
	}
	for i := range good {
		for _, c := range []byte{good[i] ^ 1, good[i] ^ 0x20, '\n', '=', 0} { // without a new checksum
			dead(fmt.Sprintf("character %d is %q", i, c), good[:i]+string([]byte{c})+good[i+1:])
		}
		dead(fmt.Sprintf("character %d left out", i), good[:i]+good[i+1:])
	}
	for _, extra := range []string{"\n", "\r\n", " ", "=", "\x00", "A", "\u200b"} {
		dead(fmt.Sprintf("%q behind", extra), good+extra)
		dead(fmt.Sprintf("%q in front", extra), extra+good)
		dead(fmt.Sprintf("%q inside", extra), good[:20]+extra+good[20:])
	}
	dead("upper case", strings.ToUpper(good))
	dead("upper-case prefix", "KW_TOK_"+good[7:])
	dead("no prefix", good[7:])
	dead("twice", good+good)
	dead("Bearer", "Bearer "+good)
	dead("trailing byte", vault.EncodeTokenText(append(bytes.Clone(decoded), 0)))
	dead("over 4 KiB", vault.EncodeTokenText(append(bytes.Clone(decoded), make([]byte, 4<<10)...)))
	a.run(tries...)
	t.Logf("%d cases", len(tries))
}

// attackShapes are blocks that keyward does not write; each is malformed whatever tag stands behind.
func attackShapes(good []attackBlock) map[string][]attackBlock {
	out := map[string][]attackBlock{}
	put := func(name string, change func(b []attackBlock) []attackBlock) {
		var own []attackBlock
		for _, b := range good {
			own = append(own, attackBlock{b.kind, slices.Clone(b.fields)})
		}
		out[name] = change(own)
	}
	for i := range good {
		for j, f := range good[i].fields {
			at := fmt.Sprintf("block %d field %d ", i, f.number)
			set := func(name string, fields func(fs []attackField) []attackField) {
				put(at+name, func(b []attackBlock) []attackBlock { b[i].fields = fields(b[i].fields); return b })
			}
			data := func(name string, d []byte) {
				set(name, func(fs []attackField) []attackField { fs[j].data = d; return fs })
			}
			if i == 0 && f.number <= 5 || f.number == 1 {
				set("left out", func(fs []attackField) []attackField { return slices.Delete(fs, j, j+1) })
			}
			set("doubled", func(fs []attackField) []attackField { return slices.Insert(fs, j, f) })
			set("moved to the end", func(fs []attackField) []attackField {
				return append(slices.Delete(fs, j, j+1), f, attackField{f.number, nil})
			})
			if j > 0 {
				set("swapped", func(fs []attackField) []attackField { fs[j], fs[j-1] = fs[j-1], fs[j]; return fs })
			}
			data("empty", nil)
			if f.number != 9 {
				data("of one byte", []byte{1})
			}
			if f.number <= 3 || f.number >= 10 {
				data("longer", append(bytes.Clone(f.data), 0))
				data("shorter", f.data[:len(f.data)-1])
			}
			if f.number == 2 || f.number == 3 || f.number == 10 {
				data("zero", make([]byte, 8))
				data("negative", bytes.Repeat([]byte{0xff}, 8))
			}
			if f.number == 2 || f.number == 3 {
				data("year 292277026596", append([]byte{0x7f}, bytes.Repeat([]byte{0xff}, 7)...))
			}
			if f.number >= 4 && f.number <= 8 {
				data("hostile", []byte("../x"))
				data("with a line", append(bytes.Clone(f.data), '\n'))
				data("with a byte that is not UTF-8", append(bytes.Clone(f.data), 0xff))
			}
			if f.number == 4 {
				data("unsorted", []byte("secrets:use:b secrets:use:a"))
				data("doubled scope", []byte("secrets:use:a secrets:use:a"))
				data("two spaces", []byte("secrets:use:a  secrets:use:b"))
			}
			if f.number == 11 {
				for _, n := range []string{"10.0.0.1/8", "10.0.0.0/8 10.0.0.0/8", "10.0.0.0/08", "::ffff:10.0.0.0/104", "10.0.0.0/33", "10.0.0.0", "10.0.0.0/8 ", "FD00::/8", "fd00:0::/8", "fe80::%eth0/64"} {
					data("is "+n, []byte(n))
				}
				data("of 17 networks", []byte(strings.TrimSpace(strings.Repeat("10.0.0.0/8 ", 17))))
			}
		}
		for _, n := range []byte{0, 13, 14, 255} {
			put(fmt.Sprintf("block %d unknown field %d", i, n), func(b []attackBlock) []attackBlock {
				b[i].fields = append(b[i].fields, attackField{n, []byte("x")})
				return b
			})
		}
		for _, kind := range []byte{0, 1, 2, 3, 4, 255} {
			if kind != good[i].kind {
				put(fmt.Sprintf("block %d of type %d", i, kind), func(b []attackBlock) []attackBlock { b[i].kind = kind; return b })
			}
		}
		put(fmt.Sprintf("block %d without fields", i), func(b []attackBlock) []attackBlock { b[i].fields = nil; return b })
	}
	put("first block twice", func(b []attackBlock) []attackBlock { return slices.Insert(b, 0, b[0]) })
	put("first block gone", func(b []attackBlock) []attackBlock { return b[1:] })
	put("backwards", func(b []attackBlock) []attackBlock { slices.Reverse(b); return b })
	put("a narrowing of nothing", func(b []attackBlock) []attackBlock { return append(b, attackBlock{2, b[0].fields[:2]}) })
	put("9 blocks", func(b []attackBlock) []attackBlock { return append(append(append(b, b[1:]...), b[1:]...), b[1:]...) })
	put("no block", func(b []attackBlock) []attackBlock { return nil })
	return out
}

// TestAttackTokenShapes gives malformed tokens a right tag, as only the keeper of the key could: they are malformed even so.
// With the old tag they are forged as well. Nobody panics.
func TestAttackTokenShapes(t *testing.T) {
	a := attack(t)
	decoded, err := vault.DecodeTokenText(attackFull(a).Reveal())
	if err != nil {
		t.Fatal(err)
	}
	good := attackBlocks(decoded[attackHead : len(decoded)-attackTag])
	issuer := vault.FixedIssuer([16]byte{1}, 7, []byte("key"))
	sign := func(count int, blocks []attackBlock) vault.Token {
		raw := [][]byte{{}}
		for i, b := range blocks {
			if i == 0 {
				raw = nil
			}
			raw = append(raw, b.bytes())
		}
		return vault.NewToken(vault.SignBlocks(issuer, 7, byte(count), raw...))
	}
	if c, err := issuer.Verify(t.Context(), sign(3, good)); err != nil || len(c) != 3 {
		t.Fatalf("the good one: %v", err)
	}
	shapes := attackShapes(good)
	tries := []try{allow("as it was", "get", getting(a.v.Session(vault.NewToken(vault.EncodeTokenText(decoded)), attackHome), attackPath))}
	check := func(t *testing.T, name string, tok vault.Token) {
		t.Helper()
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("%s: panic: %v", name, p)
			}
		}()
		if c, err := issuer.Verify(t.Context(), tok); err == nil {
			t.Errorf("%s: verified: %v", name, c)
		}
		if _, err := tok.Narrow(vault.Grant{Description: "d"}); err == nil {
			t.Errorf("%s: narrowed", name)
		}
	}
	t.Run("panic in Verify and Narrow", func(t *testing.T) {
		for name, blocks := range shapes {
			check(t, name, sign(len(blocks), blocks))
		}
	})
	for _, n := range []int{0, 1, 2, 4, 9, 255} {
		check(t, fmt.Sprintf("count %d", n), sign(n, good))
	}
	for name, blocks := range shapes {
		b := append(bytes.Clone(decoded[:attackHead]), byte(len(blocks)))
		for _, block := range blocks {
			b = append(b, block.bytes()...)
		}
		text := vault.EncodeTokenText(append(b, decoded[len(decoded)-attackTag:]...))
		tries = append(tries, deny(name, "get", vault.ErrDeadToken, "bad_token", getting(a.v.Session(vault.NewToken(text), attackHome), attackPath)))
	}
	a.run(tries...)
	t.Logf("%d shapes", len(shapes))
}
