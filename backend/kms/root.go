// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/keyward-go/keyward/vault"
)

// The first two bytes of every ciphertext of this package: which root wrote it, and in which format.
const (
	kindKeyFile    = 'F'
	kindPassphrase = 'P'
	kindWrapper    = 'W'
	kindEither     = 'E'
	format         = 1
	headLen        = 2
)

const (
	maxPlaintext  = 1 << 20               // a keyring has a few KiB
	maxData       = 64 << 10              // associated data
	maxCiphertext = maxPlaintext + 64<<10 // room for what a wrapper adds
)

// root is every vault.RootKey of this package. What it holds sits in closures, so that nothing that prints, encodes or
// walks it by reflection finds a passphrase, a wrapper or the wrapper's key.
type root struct {
	kind byte
	seal func(ctx context.Context, plaintext, data []byte) ([]byte, error)
	open func(ctx context.Context, ciphertext, data []byte) ([]byte, error)
	have func() error // if not nil: whether the key is there that seal would otherwise make
}

var _ vault.RootKey = (*root)(nil)

// EncryptWithContext seals plaintext and binds it to associatedData.
func (r *root) EncryptWithContext(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	if len(plaintext) > maxPlaintext || len(associatedData) > maxData {
		return nil, fmt.Errorf("%s: %w: more than %d bytes, or associated data of more than %d", r, vault.ErrInvalid, maxPlaintext, maxData)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", r, err)
	}
	ciphertext, err := r.seal(ctx, plaintext, associatedData)
	if err != nil {
		return nil, fmt.Errorf("%s: seal: %w", r, err)
	}
	return ciphertext, nil
}

// DecryptWithContext opens what EncryptWithContext wrote. Nothing is asked of a key holder before the outer form of the
// ciphertext is known to be right.
func (r *root) DecryptWithContext(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error) {
	if len(associatedData) > maxData {
		return nil, fmt.Errorf("%s: %w: associated data of more than %d bytes", r, vault.ErrInvalid, maxData)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", r, err)
	}
	err := r.checkHead(ciphertext)
	var plaintext []byte
	if err == nil {
		plaintext, err = r.open(ctx, ciphertext, associatedData)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: open: %w", r, err)
	}
	return plaintext, nil
}

func (r *root) checkHead(ciphertext []byte) error {
	if len(ciphertext) < headLen || len(ciphertext) > maxCiphertext {
		return fmt.Errorf("%w: a sealed keyring of %d bytes", vault.ErrTampered, len(ciphertext))
	}
	kind := ciphertext[0]
	switch {
	case kindName(kind) == "":
		return fmt.Errorf("%w: no root of this version wrote it", vault.ErrTampered)
	case kind != r.kind && r.kind != kindEither: // Either opens what one of its roots sealed alone
		return fmt.Errorf("%w: it was sealed by %s", vault.ErrWrongKey, kindName(kind))
	case ciphertext[1] != format:
		return fmt.Errorf("%w: its format is not the one that this version knows", vault.ErrTampered)
	}
	return nil
}

func kindName(kind byte) string {
	switch kind {
	case kindKeyFile:
		return "kms.KeyFile"
	case kindPassphrase:
		return "kms.Passphrase"
	case kindWrapper:
		return "kms.Wrapper"
	case kindEither:
		return "kms.Either"
	}
	return ""
}

func (r *root) String() string               { return kindName(r.kind) }
func (r *root) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(r.String())) }
func (r *root) LogValue() slog.Value         { return slog.StringValue(r.String()) }
func (r *root) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
