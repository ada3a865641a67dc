// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

func pemOf(t testing.TB, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestSigner(t *testing.T) {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	edDER, edErr := x509.MarshalPKCS8PrivateKey(ed)
	ecDER, ecErr := x509.MarshalECPrivateKey(ec)
	v := open(t)
	op := v.Operator("test")
	a := newAgent(t, v, "researcher", "secrets:use:keys/*")
	for name, c := range map[string]struct {
		text string
		opts crypto.SignerOpts
		ok   func(public crypto.PublicKey, message, digest, signature []byte) bool
	}{
		"ed25519": {pemOf(t, "PRIVATE KEY", edDER, edErr), crypto.Hash(0), func(p crypto.PublicKey, m, _, s []byte) bool {
			return ed25519.Verify(p.(ed25519.PublicKey), m, s)
		}},
		"ecdsa": {pemOf(t, "EC PRIVATE KEY", ecDER, ecErr), crypto.SHA256, func(p crypto.PublicKey, _, d, s []byte) bool {
			return ecdsa.VerifyASN1(p.(*ecdsa.PublicKey), d, s)
		}},
		"rsa": {pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rs), nil), crypto.SHA256, func(p crypto.PublicKey, _, d, s []byte) bool {
			return rsa.VerifyPKCS1v15(p.(*rsa.PublicKey), crypto.SHA256, d, s) == nil
		}},
	} {
		path := "keys/" + name
		put := func(text string) {
			if _, err := op.Put(t.Context(), vault.Item{Path: path, Value: vault.NewSecret(text)}); err != nil {
				t.Fatal(err)
			}
		}
		put(c.text)
		s, err := a.Signer(t.Context(), path, "a test")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		message := []byte("what is signed")
		digest := sha256.Sum256(message)
		signed := digest[:]
		if c.opts == crypto.Hash(0) {
			signed = message
		}
		signature, err := s.Sign(rand.Reader, signed, c.opts)
		if err != nil || !c.ok(s.Public(), message, digest[:], signature) {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(records(t, v, audit.Filter{Agent: "researcher", Path: path, Op: "use"})); n != 2 {
			t.Errorf("%s: %d uses are recorded, want 2", name, n)
		}
		if out := a.Redactor().String("key:\n" + c.text); strings.Contains(out, c.text[40:80]) {
			t.Errorf("%s: the key is not masked: %q", name, out)
		}

		_, fresh, _ := ed25519.GenerateKey(rand.Reader)
		der, err := x509.MarshalPKCS8PrivateKey(fresh)
		put(pemOf(t, "PRIVATE KEY", der, err))
		if _, err := s.Sign(rand.Reader, signed, c.opts); !errors.Is(err, vault.ErrConflict) {
			t.Errorf("%s: signed with another key than its own: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"none": "canary-no-key", "cut": pemOf(t, "PRIVATE KEY", edDER[:20], nil), "public": pemOf(t, "PUBLIC KEY", edDER, nil),
	} {
		if _, err := op.Put(t.Context(), vault.Item{Path: "keys/bad-" + name, Value: vault.NewSecret(text)}); err != nil {
			t.Fatal(err)
		}
		if s, err := a.Signer(t.Context(), "keys/bad-"+name, ""); s != nil || !errors.Is(err, vault.ErrInvalid) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Signer(ctx, "keys/rsa", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := a.Signer(t.Context(), search, ""); !errors.Is(err, vault.ErrDenied) {
		t.Errorf("out of scope: %v", err)
	}
}
