// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/vault"
)

// A vector is a text file of "name: value" lines: what is expected (ok or dead) and why, the vault's id, the id and the bytes of
// the token key (the key is used as HMAC-SHA256 key as it stands), the claims (for ok) and the token.
const attackVectors = "testdata/vectors"

var (
	attackVectorID  = [16]byte{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	attackVectorKey = bytes.Repeat([]byte{0x5a}, 32)
)

const attackVectorKeyID = 0x01020304

// attackShown is claims as a vector shows them, one link a line.
func attackShown(c vault.Claims) string {
	var b strings.Builder
	for _, l := range c {
		end := int64(0)
		if !l.Expires.IsZero() {
			end = l.Expires.Unix()
		}
		g := l.Grant
		fmt.Fprintf(&b, "link: %s issued=%d expires=%d agent=%q run=%q user=%q tenant=%q description=%q uses=%d networks=%v opening=%q scopes=%q\n",
			l.ID, l.Issued.Unix(), end, g.Agent, g.Run, g.User, g.Tenant, g.Description, g.MaxUses, g.Networks, l.Opening, g.Scopes)
	}
	return b.String()
}

// TestAttackTokenVectors reads tokens that an earlier keyward wrote, and bad ones. With KEYWARD_WRITE_VECTORS set it writes them.
func TestAttackTokenVectors(t *testing.T) {
	if os.Getenv("KEYWARD_WRITE_VECTORS") != "" {
		writeAttackVectors(t)
	}
	files, err := filepath.Glob(filepath.Join(attackVectors, "token-*.txt"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	verdicts := map[string]int{}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v", p)
				}
			}()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			fields, links := map[string]string{}, ""
			for line := range strings.Lines(string(data)) {
				name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
				if name == "link" {
					links += line
				}
				fields[name] = value
			}
			id, err1 := hex.DecodeString(fields["vault"])
			key, err2 := hex.DecodeString(fields["key"])
			if err1 != nil || err2 != nil || len(id) != 16 {
				t.Fatal(err1, err2)
			}
			var keyID uint32
			if _, err := fmt.Sscanf(fields["key id"], "%08x", &keyID); err != nil {
				t.Fatal(err)
			}
			issuer := vault.FixedIssuer([16]byte(id), keyID, key)
			c, err := issuer.Verify(t.Context(), vault.NewToken(fields["token"]))
			verdicts[fields["expect"]]++
			switch fields["expect"] {
			case "ok":
				if err != nil || attackShown(c) != links {
					t.Fatalf("%s: %v\n%s", fields["why"], err, attackShown(c))
				}
				if again, err := issuer.Issue(t.Context(), c); err != nil || again.Reveal() != fields["token"] {
					t.Errorf("%s: written as another token: %v", fields["why"], err)
				}
			case "dead":
				if err == nil {
					t.Errorf("%s: verified", fields["why"])
				}
			default:
				t.Fatalf("expect %q", fields["expect"])
			}
		})
	}
	if verdicts["ok"] < 3 || verdicts["dead"] < 15 {
		t.Errorf("vectors: %v", verdicts)
	}
}

func writeAttackVectors(t *testing.T) {
	t.Helper()
	issuer := vault.FixedIssuer(attackVectorID, attackVectorKeyID, attackVectorKey)
	if err := os.MkdirAll(attackVectors, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, expect, why, token string, c vault.Claims) {
		text := fmt.Sprintf("kind: token\nexpect: %s\nwhy: %s\nvault: %x\nkey id: %08x\nkey: %x\n%stoken: %s\n", expect, why, attackVectorID, attackVectorKeyID, attackVectorKey, attackShown(c), token)
		if err := os.WriteFile(filepath.Join(attackVectors, "token-"+name+".txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	claims := fuzzClaims()
	plain := vault.Claims{claims[1]}
	plain[0].ID, plain[0].Opening = strings.TrimPrefix(claims[0].ID, "key:"), ""
	issue := func(i vault.TokenIssuer, c vault.Claims) string {
		tok, err := i.Issue(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return tok.Reveal()
	}
	good := issue(issuer, plain)
	write("grant", "ok", "written by version 1", good, plain)
	write("key-and-grant", "ok", "written by version 1, issued by an agent key, spawned", issue(issuer, claims[:2]), claims[:2])
	write("narrowed", "ok", "written by version 1, every field", issue(issuer, claims), claims)
	write("bad-vault", "dead", "of another vault with the same key", issue(vault.FixedIssuer([16]byte{1}, attackVectorKeyID, attackVectorKey), plain), nil)
	write("bad-key", "dead", "another key under the same id", issue(vault.FixedIssuer(attackVectorID, attackVectorKeyID, []byte("other")), plain), nil)
	write("bad-key-id", "dead", "the key under another id", issue(vault.FixedIssuer(attackVectorID, 7, attackVectorKey), plain), nil)
	write("bad-sum", "dead", "last character of the checksum changed", good[:len(good)-1]+"~", nil)
	write("bad-case", "dead", "prefix in upper case", "KW_TOK_"+good[7:], nil)
	write("bad-padding", "dead", "base64 with padding", good[:len(good)-6]+"=="+good[len(good)-6:], nil)
	b, err := vault.DecodeTokenText(good)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(i int) string {
		c := bytes.Clone(b)
		c[(i+len(c))%len(c)] ^= 1
		return vault.EncodeTokenText(c)
	}
	write("bad-tag", "dead", "last bit of the tag changed", flip(-1), nil)
	write("bad-version", "dead", "version 0", flip(0), nil)
	write("bad-count", "dead", "count 0", flip(attackHead), nil)
	write("bad-end", "dead", "cut short by a byte", vault.EncodeTokenText(b[:len(b)-1]), nil)
	blocks := attackBlocks(b[attackHead : len(b)-attackTag])
	shapes := attackShapes(blocks)
	for name, shape := range map[string]string{
		"no-id": "block 0 field 1 left out", "no-scopes": "block 0 field 4 left out", "no-expiry": "block 0 field 3 left out", "no-agent": "block 0 field 5 left out", "double": "block 0 field 5 doubled", "order": "block 0 field 5 swapped",
		"empty-field": "block 0 field 6 empty", "unknown-field": "block 0 unknown field 13", "unknown-type": "block 0 of type 4", "narrowing-first": "block 0 of type 2", "key-alone": "block 0 of type 3", "negative": "block 0 field 10 negative",
		"scopes-unsorted": "block 0 field 4 unsorted", "network-unmasked": "block 0 field 11 is 10.0.0.1/8", "no-field": "block 0 without fields", "year": "block 0 field 3 year 292277026596",
	} {
		var raw [][]byte
		for _, block := range shapes[shape] {
			raw = append(raw, block.bytes())
		}
		if raw == nil {
			t.Fatalf("no shape %q", shape)
		}
		write("bad-"+name, "dead", "right tag, "+shape, vault.SignBlocks(issuer, attackVectorKeyID, byte(len(raw)), raw...), nil)
	}
	over := vault.NewToken(good)
	for range 8 {
		over = attackExtend(over, attackNarrowing(map[byte]string{1: "0123456789abcdef", 9: "d"}))
	}
	write("bad-nine", "dead", "nine blocks under a right tag", over.Reveal(), nil)
}
