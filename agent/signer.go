// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"

	"github.com/keyward-go/keyward/vault"
)

// signer is a key that stays in the vault.
type signer struct {
	agent        *Agent
	ctx          context.Context // of all its signatures: crypto.Signer has no room for one
	path, reason string
	public       crypto.PublicKey
}

// Signer returns a signer whose private key stays in the vault: PEM of a PKCS #8, PKCS #1 or SEC 1 key, at a path without hosts.
// Every signature is a use of its own, decided and recorded, within ctx; so is this call, which learns the public key. A key
// that was replaced by another since is refused: make a new Signer.
//
// Whoever has the signer chooses what is signed: it is for the developer's code.
func (a *Agent) Signer(ctx context.Context, path, reason string) (crypto.Signer, error) {
	s := &signer{agent: a, ctx: ctx, path: path, reason: a.redactor.String(reason)}
	err := s.use(func(key crypto.Signer) error {
		s.public = key.Public()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Public returns the public key.
func (s *signer) Public() crypto.PublicKey { return s.public }

// Sign signs as the key's own type does.
func (s *signer) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) (signature []byte, err error) {
	err = s.use(func(key crypto.Signer) error {
		if same, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !same.Equal(s.public) {
			return fmt.Errorf("agent: %w: the key of %s was replaced; make a new Signer", vault.ErrConflict, s.path)
		}
		signature, err = key.Sign(rand, digest, opts)
		return err
	})
	return signature, err
}

func (s *signer) use(f func(crypto.Signer) error) error {
	return s.agent.use(s.ctx, []vault.Request{{Path: s.path, Reason: s.reason}}, func(values []string) error {
		key, err := parseKey([]byte(values[0]))
		if err != nil {
			return fmt.Errorf("agent: the value of %s: %w", s.path, err)
		}
		return f(key)
	})
}

var errNoPrivateKey = fmt.Errorf("%w: no private key: PEM of a PKCS #8, PKCS #1 or SEC 1 key is needed", vault.ErrInvalid)

// parseKey takes the first block and nothing else. What the parsers say is left out: they quote.
func parseKey(text []byte) (crypto.Signer, error) {
	defer clear(text)
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errNoPrivateKey
	}
	defer clear(block.Bytes)
	switch block.Type {
	case "PRIVATE KEY":
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if s, ok := key.(crypto.Signer); ok {
				return s, nil
			}
		}
	case "RSA PRIVATE KEY":
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
	case "EC PRIVATE KEY":
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key, nil
		}
	}
	return nil, errNoPrivateKey
}
