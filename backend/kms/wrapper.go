// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"google.golang.org/protobuf/proto"

	"github.com/keyward-go/keyward/vault"
)

const (
	macKeyLen = 32
	macLen    = sha256.Size
	tailLen   = macLen + sha256.Size
)

// Wrapper returns a root whose key is held by any go-kms-wrapping v2 wrapper: a cloud KMS, Vault or OpenBao Transit, an
// HSM. Give it a wrapper that is configured; it is neither initialised nor finalised here. It must be safe for
// concurrent use if the vault's process opens more than one vault with it.
//
// The wrapper is not trusted to keep keyward's rules. It runs beside the caller, who gets vault.ErrKMSUnavailable when
// ctx ends although the wrapper ignores it (the call left behind ends when the wrapper's does; at most 16 are under
// way); its panics are caught; what it is shown is whole, and what it answers is checked. Sealing opens again what it
// sealed before it trusts it, so a key that may encrypt but not decrypt is found while nothing depends on it.
//
// What the wrapper does not open is vault.ErrTampered if it names the key that sealed it as its own, vault.ErrWrongKey if
// it names another or none. Every error that is not known to say "these bytes do not open" is vault.ErrKMSUnavailable,
// refused access included. There are no retries.
func Wrapper(w wrapping.Wrapper) vault.RootKey {
	c := newCaller("the wrapper")
	return &root{
		kind: kindWrapper,
		seal: func(ctx context.Context, plaintext, data []byte) ([]byte, error) {
			if w == nil {
				return nil, errNoWrapper
			}
			frame := make([]byte, macKeyLen, macKeyLen+len(plaintext))
			rand.Read(frame) // never fails
			frame, data = append(frame, plaintext...), slices.Clone(data)
			return c.do(ctx, func() ([]byte, error) { return sealWith(ctx, w, frame, data) })
		},
		open: func(ctx context.Context, ciphertext, data []byte) ([]byte, error) {
			if w == nil {
				return nil, errNoWrapper
			}
			ciphertext, data = slices.Clone(ciphertext), slices.Clone(data)
			return c.do(ctx, func() ([]byte, error) { return openWith(ctx, w, ciphertext, data) })
		},
	}
}

var errNoWrapper = fmt.Errorf("%w: kms.Wrapper was given no wrapper", vault.ErrNoKey)

// sealWith encrypts frame, which is a MAC key and the plaintext. The MAC binds what no wrapper binds, and some do not
// even bind the associated data: our head, the associated data, and every field of the BlobInfo, its key id for one. And
// an answer that belongs to another blob cannot fit.
func sealWith(ctx context.Context, w wrapping.Wrapper, frame, data []byte) ([]byte, error) {
	blob, err := w.Encrypt(ctx, slices.Clone(frame), wrapping.WithAad(slices.Clone(data)))
	if err != nil {
		return nil, unavailable(err, frame)
	}
	if err := checkBlob(blob); err != nil {
		return nil, fmt.Errorf("%w: the wrapper's answer is of no use: %w", vault.ErrKMSUnavailable, err)
	}
	out, err := proto.MarshalOptions{}.MarshalAppend([]byte{kindWrapper, format}, blob)
	if err != nil {
		return nil, fmt.Errorf("%w: the wrapper's answer cannot be encoded", vault.ErrKMSUnavailable)
	}
	if shows(out, frame) {
		return nil, fmt.Errorf("%w: the wrapper did not encrypt what it was given", vault.ErrKMSUnavailable)
	}
	if len(out)+tailLen > maxCiphertext {
		return nil, fmt.Errorf("%w: the wrapper's answer is too long", vault.ErrKMSUnavailable)
	}
	out = append(out, mac(frame[:macKeyLen], out, data)...)
	sum := sha256.Sum256(out)
	out = append(out, sum[:]...)

	again, err := openWith(ctx, w, out, data)
	if err != nil {
		return nil, fmt.Errorf("%w: the wrapper does not open what it sealed: %w", vault.ErrKMSUnavailable, err)
	}
	if !bytes.Equal(again, frame[macKeyLen:]) {
		return nil, fmt.Errorf("%w: the wrapper does not give back what it sealed", vault.ErrKMSUnavailable)
	}
	return out, nil
}

func openWith(ctx context.Context, w wrapping.Wrapper, ciphertext, data []byte) ([]byte, error) {
	// The digest keeps damaged bytes from the wrapper, whatever it would do with them. It has no key: against somebody
	// who computes it anew there are the wrapper's own check, checkBlob and the MAC.
	n := len(ciphertext) - sha256.Size
	if n < headLen+macLen {
		return nil, fmt.Errorf("%w: it was cut", vault.ErrTampered)
	}
	if sum := sha256.Sum256(ciphertext[:n]); !bytes.Equal(sum[:], ciphertext[n:]) {
		return nil, fmt.Errorf("%w: its digest does not fit", vault.ErrTampered)
	}
	body, want := ciphertext[:n-macLen], ciphertext[n-macLen:n]
	blob := new(wrapping.BlobInfo)
	if err := proto.Unmarshal(body[headLen:], blob); err != nil {
		return nil, fmt.Errorf("%w: it is not a BlobInfo", vault.ErrTampered)
	}
	if err := checkBlob(blob); err != nil {
		return nil, fmt.Errorf("%w: %w", vault.ErrTampered, err)
	}
	id, sealed := blob.GetKeyInfo().GetKeyId(), slices.Concat(blob.Ciphertext, blob.GetKeyInfo().GetWrappedKey())
	frame, err := w.Decrypt(ctx, blob, wrapping.WithAad(slices.Clone(data)))
	if err != nil && !refused(err) {
		return nil, unavailable(err, sealed)
	}
	if err != nil || len(frame) < macKeyLen || subtle.ConstantTimeCompare(mac(frame[:macKeyLen], body, data), want) != 1 {
		return nil, notOpened(ctx, w, id)
	}
	return slices.Clone(frame[macKeyLen:]), nil
}

// notOpened names the cause as well as it can be known. A key id is the word of the wrapper and of the stored bytes: it
// decides between two refusals, never about an opening. Wrappers change theirs when a key is rotated, and still open.
func notOpened(ctx context.Context, w wrapping.Wrapper, id string) error {
	now, err := w.KeyId(ctx)
	switch {
	case err != nil || id == "" || now == "":
		return fmt.Errorf("%w, or changed bytes: the wrapper does not name its key", vault.ErrWrongKey)
	case now != id:
		return fmt.Errorf("%w: the wrapper uses another than the one that sealed it", vault.ErrWrongKey)
	}
	return fmt.Errorf("%w: the key is right, the bytes are not", vault.ErrTampered)
}

// checkBlob holds a BlobInfo to the least that any wrapper can work with. A wrapper encrypts at least a MAC key, so no
// ciphertext is shorter; go-kms-wrapping's own aead wrapper would slice a shorter one out of range.
func checkBlob(blob *wrapping.BlobInfo) error {
	switch {
	case blob == nil:
		return errors.New("no BlobInfo")
	case len(blob.Ciphertext) < macKeyLen:
		return errors.New("a BlobInfo with a short ciphertext")
	case len(blob.Iv) != 0 && (len(blob.Iv) < 12 || len(blob.Iv) > 64):
		return errors.New("a BlobInfo with an IV of a wrong length")
	case len(blob.Plaintext) != 0 || len(blob.GetKeyInfo().GetKey()) != 0:
		return errors.New("a BlobInfo with a plaintext or a key in the clear")
	}
	return nil
}

// shows reports whether half of the MAC key, which is random, or the plaintext stands in the clear in what is to be stored.
func shows(out, frame []byte) bool {
	plaintext := frame[macKeyLen:]
	return bytes.Contains(out, frame[:macKeyLen/2]) || bytes.Contains(out, frame[macKeyLen/2:macKeyLen]) ||
		len(plaintext) >= macKeyLen/2 && bytes.Contains(out, plaintext)
}

func mac(key, body, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(bind(body, data))
	return h.Sum(nil)
}
