// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/prf"
)

// TokenIssuer turns claims into a bearer and back. It keeps no state: what is revoked or used up is the vault's business.
// Verify(Issue(c)) equals c; any other token is an error. The vault checks the claims themselves. Both methods are called
// by many goroutines at once and obey their context; a panic is an error.
//
// RotateKeys turns the key of the built-in one. A TokenIssuer that signs with a key of its own turns that itself, before
// Restore, ResetClock and a rotation marked Compromised: these forget which tokens were revoked and used up, and end only
// those of its tokens that were issued in an earlier second.
type TokenIssuer interface {
	Issue(ctx context.Context, c Claims) (Token, error)
	Verify(ctx context.Context, t Token) (Claims, error)
}

// hmacIssuer is the built-in TokenIssuer: a chain of HMAC-SHA256 in the manner of macaroons (Birgisson et al., "Macaroons",
// NDSS 2014). Any holder can add a block, since the tag keys the next one; nobody can take one away.
type hmacIssuer struct {
	keys  func() tokenKeys // behind a closure: Config.Issuer is given the issuer, and may print it
	vault vaultID
}

// tokenKeys are the keys of token tags: one signs, all verify.
type tokenKeys struct {
	*prf.Set
	retired map[uint32]int64 // see keyring
}

func (k *keyring) tokenKeys() tokenKeys { return tokenKeys{k.tokens, k.retired} }

var errForged = errors.New("token is not of this vault")

func (i hmacIssuer) Issue(_ context.Context, c Claims) (Token, error) {
	keys := i.keys()
	b := binary.BigEndian.AppendUint32([]byte{tokenFormat}, keys.PrimaryID)
	b = c.encodeBlocks(b)
	_, blocks, err := decodeBlocks(b[headLen:])
	if err != nil {
		return Token{}, err
	}
	tag, err := i.tag(keys, b[:headLen], blocks)
	if err != nil {
		return Token{}, err
	}
	text := encodeText(prefixToken, append(b, tag...))
	if len(text) > tokenLimit {
		return Token{}, fmt.Errorf("%w: the token would have more than %d bytes: use fewer or shorter scopes", ErrInvalid, tokenLimit)
	}
	return NewToken(text), nil
}

func (i hmacIssuer) Verify(_ context.Context, t Token) (Claims, error) {
	b, c, blocks, err := decodeToken(t.Reveal())
	if err != nil {
		return nil, err
	}
	keys := i.keys()
	tag, err := i.tag(keys, b[:headLen], blocks)
	if err != nil || !hmac.Equal(tag, b[len(b)-tagLen:]) {
		return nil, errForged
	}
	// Whoever has a former key can sign with it, and can only name a time when it was in use: so no token of it lives longer
	// than the maximum life after it was retired.
	if end, former := keys.retired[binary.BigEndian.Uint32(b[1:])]; former && c[c.first()].Issued.Unix() > end {
		return nil, errForged
	}
	return c, nil
}

func (i hmacIssuer) tag(keys tokenKeys, head []byte, blocks [][]byte) ([]byte, error) {
	key, ok := keys.PRFs[binary.BigEndian.Uint32(head[1:])]
	if !ok {
		return nil, errForged
	}
	first := append([]byte("keyward token v1"), i.vault[:]...)
	first = append(first, head...)
	tag, err := key.ComputePRF(append(first, blocks[0]...), tagLen)
	for _, block := range blocks[1:] {
		tag = chain(tag, block)
	}
	return tag, err
}
