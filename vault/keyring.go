// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/signature"
	tinked25519 "github.com/tink-crypto/tink-go/v2/signature/ed25519"
	"github.com/tink-crypto/tink-go/v2/tink"
	"golang.org/x/mod/sumdb/note"
)

// keyring is every key of the vault but the root. In the store it is one blob: "kwkr" ‖ version(1) ‖ what RootKey made of
// format(4), vault id, generation(4) and four serialised Tink keysets, the last five length-prefixed. The associated data are
// "kwkr", the version and the vault id.
type keyring struct {
	id         vaultID
	generation uint32
	wrap       tink.AEAD // wraps data keys
	tokens     *prf.Set  // token tags; the primary's id stands in the token
	state      *prf.Set  // fingerprints, head and rows, each under its own label
	signer     string    // of checkpoints, as note.NewSigner reads it
	verifier   string    // as note.NewVerifier reads it
}

const (
	keyringMagic   = "kwkr"
	keyringVersion = 1
	maxKeyring     = 64 << 10
)

// newKeyring makes the keys of a new vault and returns them with their plaintext, which the caller seals.
func newKeyring() (k *keyring, plaintext []byte, err error) {
	var id vaultID
	_, _ = rand.Read(id[:]) // never fails
	b := binary.BigEndian.AppendUint32(nil, format)
	b = appendPrefixed(b, id[:])
	b = appendPrefixed(b, binary.BigEndian.AppendUint32(nil, 1))
	for _, template := range []*tinkpb.KeyTemplate{
		aead.AES256GCMKeyTemplate(), prf.HMACSHA256PRFKeyTemplate(), prf.HMACSHA256PRFKeyTemplate(), signature.ED25519KeyWithoutPrefixTemplate(),
	} {
		handle, err := keyset.NewHandle(template)
		if err != nil {
			return nil, nil, fmt.Errorf("make keys: %w", err)
		}
		var out bytes.Buffer
		if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&out)); err != nil {
			return nil, nil, fmt.Errorf("make keys: %w", err)
		}
		b = appendPrefixed(b, out.Bytes())
	}
	k, err = parseKeyring(b)
	return k, b, err
}

// parseKeyring reads the plaintext of a keyring.
func parseKeyring(b []byte) (*keyring, error) {
	bad := fmt.Errorf("%w: the keyring cannot be read", ErrTampered)
	if len(b) < 4 {
		return nil, bad
	}
	if f := binary.BigEndian.Uint32(b); f != format {
		return nil, fmt.Errorf("%w: the keyring has format %d, this program knows %d", ErrInvalid, f, format)
	}
	rest, fields := b[4:], [6][]byte{}
	for i := range fields {
		var ok bool
		if fields[i], rest, ok = cutPrefixed(rest); !ok {
			return nil, bad
		}
	}
	if len(rest) != 0 || len(fields[0]) != len(vaultID{}) || len(fields[1]) != 4 {
		return nil, bad
	}
	k := &keyring{id: vaultID(fields[0]), generation: binary.BigEndian.Uint32(fields[1])}
	var handles [4]*keyset.Handle
	for i := range handles {
		var err error
		if handles[i], err = insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(fields[2+i]))); err != nil {
			return nil, bad
		}
	}
	var err1, err2, err3, err4 error
	k.wrap, err1 = aead.New(handles[0])
	k.tokens, err2 = prf.NewPRFSet(handles[1])
	k.state, err3 = prf.NewPRFSet(handles[2])
	err4 = k.setSigner(handles[3])
	if errors.Join(err1, err2, err3, err4) != nil || !isHMAC(k.tokens) || !isHMAC(k.state) {
		return nil, bad
	}
	return k, nil
}

// isHMAC reports whether every key of a set gives the 32 bytes of HMAC-SHA256.
func isHMAC(set *prf.Set) bool {
	for _, p := range set.PRFs {
		if _, err := p.ComputePRF(nil, sha256.Size); err != nil {
			return false
		}
	}
	return true
}

// setSigner puts the Ed25519 key of a Tink keyset into the text form of package note.
func (k *keyring) setSigner(handle *keyset.Handle) error {
	e, err := handle.Primary()
	if err != nil {
		return err
	}
	private, ok := e.Key().(*tinked25519.PrivateKey)
	if !ok {
		return ErrTampered
	}
	seed := private.PrivateKeyBytes().Data(insecuresecretdataaccess.Token{})
	if len(seed) != ed25519.SeedSize {
		return ErrTampered
	}
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if k.verifier, err = note.NewEd25519VerifierKey(k.id.origin(), public); err != nil {
		return err
	}
	v, err := note.NewVerifier(k.verifier)
	if err != nil {
		return err
	}
	const algEd25519 = 1
	key := base64.StdEncoding.EncodeToString(append([]byte{algEd25519}, seed...))
	k.signer = fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", k.id.origin(), v.KeyHash(), key)
	return nil
}

// sub returns HMAC-SHA256 keyed for one use of the state key. It is not for concurrent use.
func (k *keyring) sub(label string) hash.Hash {
	key, err := k.state.ComputePrimaryPRF([]byte("keyward "+label+" v1"), sha256.Size)
	if err != nil {
		panic("vault: HMAC-SHA256 gives 32 bytes") // the length is the only thing it can object to
	}
	return hmac.New(sha256.New, key)
}

// seal encrypts the keyring under the root.
func sealKeyring(ctx context.Context, root RootKey, id vaultID, plaintext []byte) ([]byte, error) {
	c, err := root.EncryptWithContext(ctx, plaintext, keyringData(id))
	if err != nil {
		return nil, fmt.Errorf("seal the keyring: %w", err)
	}
	return append(append([]byte(keyringMagic), keyringVersion), c...), nil
}

// openKeyring decrypts the blob of the vault id. Format and id are checked inside it too: not every wrapper of a key
// service honours associated data.
func openKeyring(ctx context.Context, root RootKey, id vaultID, blob []byte) (*keyring, error) {
	if len(blob) <= len(keyringMagic)+1 || len(blob) > maxKeyring || string(blob[:len(keyringMagic)]) != keyringMagic {
		return nil, fmt.Errorf("%w: the keyring is not one", ErrTampered)
	}
	if n := blob[len(keyringMagic)]; n != keyringVersion {
		return nil, fmt.Errorf("%w: the keyring has version %d, this program knows %d", ErrInvalid, n, keyringVersion)
	}
	plaintext, err := root.DecryptWithContext(ctx, blob[len(keyringMagic)+1:], keyringData(id))
	if err != nil {
		return nil, fmt.Errorf("open the keyring: %w", err)
	}
	defer clear(plaintext)
	k, err := parseKeyring(plaintext)
	if err == nil && k.id != id {
		return nil, fmt.Errorf("%w: the keyring is another vault's", ErrTampered)
	}
	return k, err
}

func keyringData(id vaultID) []byte {
	return append([]byte{'k', 'w', 'k', 'r', keyringVersion}, id[:]...)
}

func appendPrefixed(dst, b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(b))), b...)
}

func cutPrefixed(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}
