// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/signature"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// FuzzRow: what is read as a row is written again so that it reads alike.
func FuzzRow(f *testing.F) {
	a := attack(f)
	ctx := context.Background()
	a.newKey(vault.Key{Limits: vault.Grant{Scopes: scope.MustParse("secrets:*:*"), Agent: "r", MaxUses: 3, TTL: 60e9, Networks: attackNets("10.0.0.0/8")}})
	a.newKey(vault.Key{Operator: true})
	s := a.issue(vault.Grant{MaxUses: 2})
	if err := attackGet(s, attackPath); err != nil {
		f.Fatal(err)
	}
	p := vault.Policy{Type: "api_key", Tier: vault.Critical, Hosts: []string{"GET a.com/v1"}, Networks: attackNets("10.0.0.0/8"), Placement: "basic:u", Expires: a.clock.now()}
	it := vault.Item{Path: attackPath, Value: vault.NewSecret("v"), Reason: "\u202e", Metadata: map[string]string{"k": "v"}}
	if _, err := a.op.Put(ctx, it); err != nil {
		f.Fatal(err)
	}
	if err := a.op.SetPolicy(ctx, attackPath, p, ""); err != nil {
		f.Fatal(err)
	}
	if err := a.op.Delete(ctx, vault.Request{Path: attackPath, Version: 1}); err != nil {
		f.Fatal(err)
	}
	for _, what := range []vault.Frozen{{Kind: "agent", Value: "a/b"}, {Kind: "path", Value: "a/*"}} {
		if err := a.op.Freeze(ctx, what, "r"); err != nil {
			f.Fatal(err)
		}
	}
	rows, err := a.store.Rows(ctx, "", 1000)
	if err != nil {
		f.Fatal(err)
	}
	seeds := 0
	for _, r := range rows {
		if bytes.IndexByte([]byte("svtkf"), r.Key[0]) >= 0 && r.Key[1] == ':' {
			if again, err := vault.Recode(r.Key, r.Data); err != nil || !bytes.Equal(again, r.Data) {
				f.Errorf("row %s is not written as it was read: %v\n%s\n%s", r.Key, err, r.Data, again)
			}
			f.Add(r.Key, r.Data)
			seeds++
		}
	}
	if seeds < 10 {
		f.Fatalf("only %d rows", seeds)
	}
	f.Add("t:x", []byte(`{"uses":-1,"expires":0}`))
	f.Add("s:..", []byte(`{"policy":{},"next":1}`))
	f.Add("v:a:01", []byte(`{}`))
	f.Add("x:a:1", []byte(`{}`))
	f.Fuzz(func(t *testing.T, key string, data []byte) {
		once, err := vault.Recode(key, data)
		if err != nil {
			return
		}
		if again, err := vault.Recode(key, once); err != nil || !bytes.Equal(again, once) {
			t.Fatalf("%v\n%s\n%s", err, once, again)
		}
	})
}

// TestAttackRows: rows that cannot be understood are an error. That the bytes are those that were written is for the head's MAC.
func TestAttackRows(t *testing.T) {
	fingerprint := `"fingerprint":"AAAAAAAAAAAAAAAAAAAAAA=="`
	sum := `"key":"AAAA","sum":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="`
	created := `"created":"2026-06-01T12:00:00Z"`
	good := map[string]string{
		"s:a/b": `{"policy":{"tier":"standard"},"next":2}`, "v:a/b:1": `{` + created + `,` + fingerprint + `,` + sum + `}`, "t:" + string(bytes.Repeat([]byte("0a"), 16)): `{"uses":1,"expires":5}`,
		"f:path:a/*": `{"since":"2026-06-01T12:00:00Z"}`,
	}
	for key, data := range good {
		if again, err := vault.Recode(key, []byte(data)); err != nil || string(again) != data {
			t.Errorf("%s: %v: %s", key, err, again)
		}
	}
	for _, c := range [][3]string{
		{"bytes behind a row", "s:a/b", `{"policy":{"tier":"standard"},"next":2}}`}, {"bytes behind a row", "s:a/b", `{"policy":{"tier":"standard"},"next":2}]x`}, {"bytes behind a row", "s:a/b", `{"policy":{"tier":"standard"},"next":2}{}`},
		{"no number", "s:a/b", `{"policy":{"tier":"standard"}}`}, {"number 0", "s:a/b", `{"policy":{},"next":0}`}, {"a path that is none", "s:a/../b", `{"policy":{},"next":1}`},
		{"version 0", "v:a/b:0", `{` + created + `,` + fingerprint + `,` + sum + `}`}, {"version 01", "v:a/b:01", `{` + created + `,` + fingerprint + `,` + sum + `}`},
		{"no version", "v:a/b", `{}`}, {"no sum", "v:a/b:1", `{` + created + `,` + fingerprint + `}`}, {"a short fingerprint", "v:a/b:1", `{` + created + `,"fingerprint":"AAAA",` + sum + `}`},
		{"a key id that is none", "k:x", `{}`},
		{"a freeze of no kind", "f:x:y", `{"since":"2026-06-01T12:00:00Z"}`}, {"a freeze of no name", "f:user:a/b", `{"since":"2026-06-01T12:00:00Z"}`}, {"a kind of row that is none", "z:x", `{}`}, {"no JSON", "s:a/b", ``}, {"null", "s:a/b", `null`},
	} {
		t.Run(c[0], func(t *testing.T) {
			if again, err := vault.Recode(c[1], []byte(c[2])); err == nil {
				t.Errorf("%s %s is read, as %s", c[1], c[2], again)
			}
		})
	}
}

// FuzzKeyring: nothing that is not a keyring is one, and what is one can be used without a panic.
func FuzzKeyring(f *testing.F) {
	good := vault.NewKeyringPlaintext()
	if err := vault.ReadKeyring(good); err != nil {
		f.Fatal(err)
	}
	rotated, err := vault.NextKeyring(good, "wt", time.Unix(1780315200, 0), 1780315200)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(rotated)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(bytes.Clone(good), 0))
	f.Add(bytes.Repeat([]byte{0}, 64))
	f.Add([]byte{0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		defer func() {
			if p := recover(); p != nil {
				t.Fatalf("panic: %v", p)
			}
		}()
		if err := vault.ReadKeyring(b); err == nil && len(b) < 100 {
			t.Fatalf("%d bytes are a keyring", len(b))
		}
	})
}

// TestAttackKeyring: a keyset of another kind is not a part of a keyring.
func TestAttackKeyring(t *testing.T) {
	good := vault.NewKeyringPlaintext()
	templates := map[string]*tinkpb.KeyTemplate{
		"AES-CMAC PRF": prf.AESCMACPRFKeyTemplate(), "HMAC-SHA256 PRF": prf.HMACSHA256PRFKeyTemplate(), "AES-256-GCM": aead.AES256GCMKeyTemplate(), "AES-128-GCM": aead.AES128GCMKeyTemplate(),
		"Ed25519": signature.ED25519KeyWithoutPrefixTemplate(), "ECDSA": signature.ECDSAP256KeyTemplate(),
	}
	fits := map[int][]string{0: {"AES-256-GCM", "AES-128-GCM"}, 1: {"HMAC-SHA256 PRF"}, 2: {"HMAC-SHA256 PRF"}, 3: {"Ed25519"}}
	for name, template := range templates {
		for i := range 4 {
			t.Run(fmt.Sprint(name, " as keyset ", i), func(t *testing.T) {
				defer func() {
					if p := recover(); p != nil {
						t.Errorf("panic: %v", p)
					}
				}()
				if err := vault.ReadKeyring(vault.SwapKeyset(good, i, template)); (err == nil) != slices.Contains(fits[i], name) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}
