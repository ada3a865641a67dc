// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// fuzzClaims is a chain with every field.
func fuzzClaims() vault.Claims {
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	id := strings.Repeat("0a", 16)
	return vault.Claims{
		{ID: "key:" + id, Issued: at, Expires: at.Add(time.Hour), Grant: vault.Grant{Scopes: scope.MustParse("secrets:*:*"), Agent: "researcher"}},
		{ID: "key:" + id + "." + id, Issued: at, Expires: at.Add(time.Minute), Opening: id, Grant: vault.Grant{
			Agent: "researcher", Run: "r", User: "u", Tenant: "t", Description: "d", Scopes: scope.MustParse("secrets:read:production/*", "secrets:use:x"),
			MaxUses: 3, Networks: attackNets("10.0.0.0/8", "fd00::/8"),
		}},
		{ID: "key:" + id + "." + id + "." + id, Issued: at, Grant: vault.Grant{Agent: "researcher/x", Description: "\u202e\n"}},
	}
}

// FuzzToken: what is verified is written again as it was, and nothing panics. In mode 0 the input is the text of a token;
// in mode 1 its blocks, which are given a right tag; in mode 2 a block that a holder adds.
func FuzzToken(f *testing.F) {
	issuer := vault.FixedIssuer([16]byte{1}, 7, []byte("key"))
	claims := fuzzClaims()
	for _, c := range []vault.Claims{claims, claims[:2]} {
		tok, err := issuer.Issue(f.Context(), c)
		if err != nil {
			f.Fatal(err)
		}
		b, _ := vault.DecodeTokenText(tok.Reveal())
		f.Add(byte(0), []byte(tok.Reveal()))
		f.Add(byte(1), b[attackHead:len(b)-attackTag])
	}
	first := vault.Claims{claims[1]}
	first[0].ID = strings.Repeat("0a", 16)
	base, err := issuer.Issue(f.Context(), first)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(0), []byte("kw_tok_"))
	f.Add(byte(0), []byte(base.Reveal()+"\n"))
	f.Add(byte(1), []byte{1, 1, 0, 0})
	f.Add(byte(1), []byte{1, 1, 0, 4, 1, 0, 1, 0xab})
	f.Add(byte(2), attackNarrowing(map[byte]string{9: "d"}).bytes())
	f.Add(byte(2), attackBlock{kind: 2}.bytes())
	f.Fuzz(func(t *testing.T, mode byte, in []byte) {
		defer func() {
			if p := recover(); p != nil {
				t.Fatalf("panic: %v", p)
			}
		}()
		text := string(in)
		switch {
		case mode%3 == 1 && len(in) > 0:
			text = vault.SignBlocks(issuer, 7, in[0], splitBlocks(in[1:])...)
		case mode%3 == 2:
			b, _ := vault.DecodeTokenText(base.Reveal())
			b[attackHead]++
			tag := vault.ChainTag(b[len(b)-attackTag:], in)
			text = vault.EncodeTokenText(append(append(b[:len(b)-attackTag:len(b)-attackTag], in...), tag...))
		}
		tok := vault.NewToken(text)
		c, err := issuer.Verify(t.Context(), tok)
		narrowed, narrowErr := tok.Narrow(vault.Grant{Description: "narrower"})
		if err != nil {
			if c != nil {
				t.Fatal("claims beside an error")
			}
			return
		}
		again, err := issuer.Issue(t.Context(), c)
		if err != nil || again.Reveal() != text {
			t.Fatalf("verified, but written again as something else: %v", err)
		}
		if narrowErr == nil {
			n, err := issuer.Verify(t.Context(), narrowed)
			if err != nil || len(n) != len(c)+1 || n[len(c)].Grant.Description != "narrower" {
				t.Fatalf("narrowed to %v, %v", n, err)
			}
		}
	})
}

// splitBlocks cuts where blocks end, as far as they do.
func splitBlocks(b []byte) (out [][]byte) {
	for len(b) >= 3 {
		n := min(3+int(b[1])<<8+int(b[2]), len(b))
		out, b = append(out, b[:n]), b[n:]
	}
	if len(b) > 0 || len(out) == 0 {
		out = append(out, b)
	}
	return out
}

// FuzzHead: what is read as a head is written again so that it reads alike.
func FuzzHead(f *testing.F) {
	a := attack(f)
	rows, err := a.store.Rows(f.Context(), "head", 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(rows[0].Data)
	for _, at := range []int{0, 3, 4, 20, 27, 28, 36, 40, 44, 52, 60, 67, 68, 75, 76, 110} { // a byte of each field
		changed := bytes.Clone(rows[0].Data)
		changed[at] ^= 0x81
		f.Add(changed)
	}
	f.Add([]byte{})
	f.Add(rows[0].Data[:110])
	f.Add(append(bytes.Clone(rows[0].Data), 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		again, err := vault.RecodeHead(data)
		if err == nil && !bytes.Equal(withoutMAC(again), withoutMAC(data)) {
			t.Fatalf("%x is read as %x", data, again)
		}
	})
}

// withoutMAC is a head without its MAC.
func withoutMAC(b []byte) []byte { return b[:len(b)-32] }
