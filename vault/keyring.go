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
	"encoding/json"
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
// format(4) and, each length-prefixed, vault id, generation(4), four serialised Tink keysets and, if there are former token
// keys, their list. The associated data are "kwkr", the version and the vault id. It does not change: a rotation makes
// another one (keyring_next.go), of the next generation.
type keyring struct {
	id         vaultID
	generation uint32
	wrap       tink.AEAD        // wraps data keys
	wrapID     uint32           // of the key that wraps now; former ones only open
	tokens     *prf.Set         // token tags; the primary's id stands in the token
	retired    map[uint32]int64 // of each former token key the Unix second after which nothing was issued under it
	state      *prf.Set         // fingerprints, head and rows, each under its own label
	signer     string           // of checkpoints, as note.NewSigner reads it
	verifier   string           // as note.NewVerifier reads it
	sets       [4]*keyset.Handle
	root       RootKey // that opened it
}

const (
	keyringKey     = "keyring"
	keyringMagic   = "kwkr"
	keyringVersion = 1
	maxKeyring     = 64 << 10
)

// keyringJSON is the row of a keyring.
type keyringJSON struct {
	Keyring []byte `json:"keyring"`
}

// newKeyring makes the keys of a new vault and returns them with their plaintext, which the caller seals.
func newKeyring() (k *keyring, plaintext []byte, err error) {
	var id vaultID
	_, _ = rand.Read(id[:]) // never fails
	k = &keyring{id: id, generation: 1}
	for i, template := range []*tinkpb.KeyTemplate{
		aead.AES256GCMKeyTemplate(), prf.HMACSHA256PRFKeyTemplate(), prf.HMACSHA256PRFKeyTemplate(), signature.ED25519KeyWithoutPrefixTemplate(),
	} {
		if k.sets[i], err = keyset.NewHandle(template); err != nil {
			return nil, nil, fmt.Errorf("make keys: %w", err)
		}
	}
	if plaintext, err = k.plaintext(); err != nil {
		return nil, nil, err
	}
	k, err = parseKeyring(plaintext)
	return k, plaintext, err
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
	if len(fields[0]) != len(vaultID{}) || len(fields[1]) != 4 {
		return nil, bad
	}
	k := &keyring{id: vaultID(fields[0]), generation: binary.BigEndian.Uint32(fields[1])}
	for i := range k.sets {
		var err error
		if k.sets[i], err = insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(fields[2+i]))); err != nil {
			return nil, bad
		}
	}
	var err1, err2, err3, err4 error
	k.wrap, err1 = aead.New(k.sets[0])
	k.tokens, err2 = prf.NewPRFSet(k.sets[1])
	k.state, err3 = prf.NewPRFSet(k.sets[2])
	err4 = k.setSigner(k.sets[3])
	if errors.Join(err1, err2, err3, err4) != nil || !isHMAC(k.tokens) || !isHMAC(k.state) || !k.setWrapID() || !k.setRetired(rest) {
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

// sealKeyring encrypts the plaintext of a keyring, which it clears, under the root, and opens it again: nothing may depend
// on what the root does not open. It returns the keyring as opened, and the data of its row.
func sealKeyring(ctx context.Context, root RootKey, id vaultID, plaintext []byte) (*keyring, []byte, error) {
	defer clear(plaintext)
	c, err := root.EncryptWithContext(ctx, plaintext, keyringData(id))
	if err != nil {
		return nil, nil, fmt.Errorf("seal the keyring: %w", err)
	}
	blob := append(append([]byte(keyringMagic), keyringVersion), c...)
	again, err := decryptKeyring(ctx, root, id, blob)
	if err != nil {
		return nil, nil, fmt.Errorf("the root cannot open what it sealed: %w", err)
	}
	defer clear(again)
	if !bytes.Equal(again, plaintext) {
		return nil, nil, fmt.Errorf("%w: the root does not give back what it sealed", ErrKMSUnavailable)
	}
	k, err := readKeyring(root, id, again)
	if err != nil {
		return nil, nil, err
	}
	row, err := json.Marshal(keyringJSON{blob})
	return k, row, err
}

// openKeyringRow decrypts what the row of a vault's keyring holds.
func openKeyringRow(ctx context.Context, root RootKey, id vaultID, row []byte) (*keyring, error) {
	var j keyringJSON
	if err := json.Unmarshal(row, &j); err != nil {
		return nil, fmt.Errorf("%w: the keyring cannot be read", ErrTampered)
	}
	plaintext, err := decryptKeyring(ctx, root, id, j.Keyring)
	if err != nil {
		return nil, err
	}
	defer clear(plaintext)
	return readKeyring(root, id, plaintext)
}

func decryptKeyring(ctx context.Context, root RootKey, id vaultID, blob []byte) ([]byte, error) {
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
	return plaintext, nil
}

// readKeyring checks format and id inside the plaintext too: not every wrapper of a key service honours associated data.
func readKeyring(root RootKey, id vaultID, plaintext []byte) (*keyring, error) {
	k, err := parseKeyring(plaintext)
	if err != nil {
		return nil, err
	}
	if k.id != id {
		return nil, fmt.Errorf("%w: the keyring is another vault's", ErrTampered)
	}
	k.root = root
	return k, nil
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
