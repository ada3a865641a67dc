// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// What tests see of the inside: the codings of what comes from outside.

func DecodeTokenText(text string) ([]byte, error) { return decodeText(prefixToken, text) }
func EncodeTokenText(b []byte) string             { return encodeText(prefixToken, b) }
func ChainTag(tag, block []byte) []byte           { return chain(tag, block) }

type fixedPRF []byte

func (k fixedPRF) ComputePRF(in []byte, n uint32) ([]byte, error) {
	h := hmac.New(sha256.New, k)
	h.Write(in)
	return h.Sum(nil)[:n], nil
}

// FixedIssuer is the built-in issuer with a known key.
func FixedIssuer(id [16]byte, keyID uint32, key []byte) TokenIssuer {
	set := &prf.Set{PrimaryID: keyID, PRFs: map[uint32]prf.PRF{keyID: fixedPRF(key)}}
	return hmacIssuer{func() tokenKeys { return tokenKeys{set, nil} }, vaultID(id)}
}

// SignBlocks puts blocks of any shape together under a right tag, as only the holder of the token key can.
func SignBlocks(i TokenIssuer, keyID uint32, count byte, blocks ...[]byte) string {
	h := i.(hmacIssuer)
	head := binary.BigEndian.AppendUint32([]byte{tokenFormat}, keyID)
	tag, err := h.tag(h.keys(), head, blocks)
	if err != nil {
		panic(err)
	}
	b := append(head, count)
	for _, block := range blocks {
		b = append(b, block...)
	}
	return encodeText(prefixToken, append(b, tag...))
}

// Recode decodes a row and encodes it again.
func Recode(key string, data []byte) ([]byte, error) {
	k, err := parseRowKey(key)
	if err != nil {
		return nil, err
	}
	row, err := decodeRow(k, data)
	if err != nil {
		return nil, err
	}
	return encodeRow(row)
}

// ReadKeyring parses the plaintext of a keyring and uses every key of it.
func ReadKeyring(b []byte) error {
	k, err := parseKeyring(b)
	if err == nil {
		k.sub(labelRow)
	}
	return err
}

func NewKeyringPlaintext() []byte {
	_, b, err := newKeyring()
	if err != nil {
		panic(err)
	}
	return b
}

// KeyringShown is what tests see of a keyring: the ids of its keys, those in use first, and when the former token keys were
// retired.
type KeyringShown struct {
	Generation    uint32
	Wraps, Tokens []uint32
	Retired       map[uint32]int64
}

// ShowKeyring parses the plaintext of a keyring.
func ShowKeyring(b []byte) (s KeyringShown, err error) {
	k, err := parseKeyring(b)
	if err != nil {
		return s, err
	}
	s = KeyringShown{Generation: k.generation, Wraps: []uint32{k.wrapID}, Tokens: []uint32{k.tokens.PrimaryID}, Retired: k.retired}
	for i, ids := range []*[]uint32{&s.Wraps, &s.Tokens} {
		for _, id := range keyIDs(k.sets[i]) {
			if id != (*ids)[0] {
				*ids = append(*ids, id)
			}
		}
	}
	return s, nil
}

// ShowKeys shows the keyring that a vault uses.
func ShowKeys(v *Vault) KeyringShown {
	b, err := v.core().keys().plaintext()
	if err != nil {
		panic(err)
	}
	s, err := ShowKeyring(b)
	if err != nil {
		panic(err)
	}
	return s
}

// StoreOf is the store of a vault.
func StoreOf(v *Vault) Store { return v.core().store }

// Unwrapped is how many data keys the key in use does not wrap.
func Unwrapped(v *Vault) int { return len(v.core().unwrapped()) }

// FormerIssuer is the built-in issuer with a known key that signs although it was retired.
func FormerIssuer(id [16]byte, keyID uint32, key []byte, retired int64) TokenIssuer {
	set := &prf.Set{PrimaryID: keyID, PRFs: map[uint32]prf.PRF{keyID: fixedPRF(key)}}
	return hmacIssuer{func() tokenKeys { return tokenKeys{set, map[uint32]int64{keyID: retired}} }, vaultID(id)}
}

// NextKeyring is the plaintext that follows another one. What to change is named by its letters: w another AEAD key, W former
// ones go; t another token key, T former ones go.
func NextKeyring(b []byte, what string, now time.Time, retires int64) ([]byte, error) {
	k, err := parseKeyring(b)
	if err != nil {
		return nil, err
	}
	has := func(letter string) bool { return strings.Contains(what, letter) }
	out, err := k.next(keyChange{now: now, newWrap: has("w"), dropWraps: has("W"), newToken: has("t"), dropTokens: has("T"), retires: retires})
	if err != nil {
		return nil, err
	}
	n, err := parseKeyring(out)
	if err != nil {
		return nil, err
	}
	return out, n.follows(k)
}

// FollowsKeyring says whether one plaintext may come behind another.
func FollowsKeyring(old, next []byte) error {
	a, err1 := parseKeyring(old)
	b, err2 := parseKeyring(next)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	return b.follows(a)
}

// SameKeyring writes the plaintext of a keyring again as it was read.
func SameKeyring(b []byte) ([]byte, error) {
	k, err := parseKeyring(b)
	if err != nil {
		return nil, err
	}
	return k.plaintext()
}

// SwapKeyset puts another keyset in place of number i of a keyring's plaintext: 0 AEAD, 1 tokens, 2 state, 3 signer.
func SwapKeyset(plaintext []byte, i int, template *tinkpb.KeyTemplate) []byte {
	handle, err := keyset.NewHandle(template)
	var swapped bytes.Buffer
	if err == nil {
		err = insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&swapped))
	}
	if err != nil {
		panic(err)
	}
	out, rest := bytes.Clone(plaintext[:4]), plaintext[4:]
	for n := range 6 {
		var field []byte
		if field, rest, _ = cutPrefixed(rest); n == 2+i {
			field = swapped.Bytes()
		}
		out = appendPrefixed(out, field)
	}
	return out
}

// CanonHost is the one spelling of a host entry.
func CanonHost(entry string) (string, error) {
	e, err := parseHost(entry)
	if err != nil {
		return "", err
	}
	s := ""
	if len(e.methods) > 0 {
		s = strings.Join(e.methods, ",") + " "
	}
	if e.scheme == "http" {
		s += "http://"
	}
	s += e.host
	if e.port != defaultPort(e.scheme) {
		s += ":" + strconv.Itoa(e.port)
	}
	return s + e.prefix, nil
}

// CanonURL is the one spelling of a destination.
func CanonURL(method, url string) (string, error) {
	d, err := parseDestination(method, url)
	if err != nil {
		return "", err
	}
	if d.host == "" { // a path at the one host of a policy
		return d.path, nil
	}
	return fmt.Sprintf("%s://%s%s", d.scheme, d, d.path), nil
}

// Matches says whether a host entry lets a use go to a place.
func Matches(entry, method, url string) (bool, error) {
	e, err := parseHost(entry)
	if err != nil {
		return false, err
	}
	d, err := parseDestination(method, url)
	return err == nil && e.matches(d), err
}

// RecodeHead parses the row of a head and writes it again, but for its MAC.
func RecodeHead(data []byte) ([]byte, error) {
	h, mac, err := parseHead(data)
	if err != nil {
		return nil, err
	}
	m := headMAC{Hash: hmac.New(sha256.New, mac)}
	return h.append(nil, &m, sum{})
}

// RecodeMark parses the fields of a mark and writes them again. What is parsed comes back from a whole mark too.
func RecodeMark(k *keyring, fields []byte) ([]byte, error) {
	h := head{size: 1 << 40}
	if err := h.parseFields(fields); err != nil {
		return nil, err
	}
	mark := h.appendMark(nil, k.sub(labelMark))
	g, err := k.parseMark(mark)
	if err == nil && (g.head != h || g.log() != audit.Head{Size: 1 << 40, Root: h.log().Root}) {
		err = fmt.Errorf("the mark gives another head")
	}
	return mark[:headFields], err
}

// ParseMark is the check of what a head file holds.
func ParseMark(k *keyring, mark []byte) error {
	_, err := k.parseMark(mark)
	return err
}

const HeadFields = headFields

func NewKeyring() *keyring {
	k, _, err := newKeyring()
	if err != nil {
		panic(err)
	}
	return k
}

// Ripe is how many rows of dead tokens the last commit looked at.
func Ripe(v *Vault) int { return len(v.core().state.lives.dead) }
