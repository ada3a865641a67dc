// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"slices"
	"time"
)

// Token is the text that a bearer carries: a token (kw_tok_…), an agent key (kw_agent_…) or the credential of a remote
// operator (kw_op_…). It prints as "[redacted]" as a Secret does.
type Token struct{ hidden }

// NewToken returns a Token with the given text. It checks nothing: a bad token is refused, and recorded, at its first
// use.
func NewToken(text string) Token {
	return Token{hidden{func() string { return text }}}
}

const (
	prefixToken = "kw_tok_"
	prefixAgent = "kw_agent_"
	prefixOp    = "kw_op_"
	sumLen      = 6
	tokenFormat = 1
	headLen     = 5 // version and key id
	tagLen      = sha256.Size
)

// Narrow returns a token that can do less: what both the old one and g allow, under the agent g.Agent, which must append
// to the old one's ("researcher" → "researcher/summariser"; empty keeps it). It needs no vault and no network. Zero
// fields of g change nothing; a g that would widen anything is refused with ErrInvalid. Narrow uses the local clock.
func (t Token) Narrow(g Grant) (Token, error) {
	b, claims, _, err := decodeToken(t.Reveal())
	if err != nil {
		return Token{}, fmt.Errorf("vault: narrow: %w: not a token of keyward", ErrInvalid)
	}
	l, err := claims.narrowing(newID(), g, time.Now())
	if err == nil {
		err = claims.checkNext(l)
	}
	if err != nil {
		return Token{}, fmt.Errorf("vault: narrow: %w: %w", ErrInvalid, err)
	}
	tag := b[len(b)-tagLen:]
	block := appendBlock(nil, blockNarrowing, l)
	out := append(bytes.Clone(b[:len(b)-tagLen]), block...)
	out[headLen]++
	out = append(out, chain(tag, block)...)
	text := encodeText(prefixToken, out)
	if len(text) > tokenLimit {
		return Token{}, fmt.Errorf("vault: narrow: %w: a token has at most %d bytes", ErrInvalid, tokenLimit)
	}
	return NewToken(text), nil
}

// narrowing makes the link that g adds to c, and refuses what would widen. Safety does not rest on this: every link must
// consent. It tells early.
func (c Claims) narrowing(id string, g Grant, now time.Time) (Link, error) {
	if len(c) == maxBlocks {
		return Link{}, fmt.Errorf("a token has at most %d links", maxBlocks)
	}
	l, err := newLink(id, g, now)
	if err != nil {
		return Link{}, err
	}
	l.ID = c.last().ID + "." + id
	if end := c.endsBy(longestTTL); l.Expires.After(end) {
		return Link{}, fmt.Errorf("%w: it would outlive the token, which ends at %s", errWidens, end.Format(time.RFC3339))
	}
	for i := range c {
		if err := c[i].Grant.admits(l.Grant); err != nil {
			return Link{}, err
		}
	}
	return l, nil
}

// newID is 16 random bytes in hex.
func newID() string {
	var id [idHex / 2]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// newLink makes a link of g that begins now.
func newLink(id string, g Grant, now time.Time) (Link, error) {
	l := Link{ID: id, Issued: truncate(now), Grant: g}
	if g.TTL != 0 {
		if g.TTL < time.Second || g.TTL > longestTTL {
			return Link{}, fmt.Errorf("TTL: at least a second, at most %s", longestTTL)
		}
		l.Expires = l.Issued.Add(g.TTL.Truncate(time.Second))
	}
	l.Grant.TTL = 0
	l.Grant.Networks = slices.Clone(g.Networks)
	return l, nil
}

func chain(tag, block []byte) []byte {
	h := hmac.New(sha256.New, tag)
	h.Write(block)
	return h.Sum(nil)
}

// decodeToken reads the text of a built-in token without knowing whether its tag is right.
func decodeToken(text string) (b []byte, c Claims, blocks [][]byte, err error) {
	b, err = decodeText(prefixToken, text)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(b) < headLen+1+tagLen || b[0] != tokenFormat {
		return nil, nil, nil, errBlock
	}
	c, blocks, err = decodeBlocks(b[headLen : len(b)-tagLen])
	return b, c, blocks, err
}

// encodeText is prefix ‖ base64url without padding ‖ six base62 digits of the CRC-32 (IEEE) of all before them: enough for
// a secret scanner to know a real one.
func encodeText(prefix string, b []byte) string {
	s := prefix + base64.RawURLEncoding.EncodeToString(b)
	return s + checksum(s)
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func checksum(s string) string {
	var out [sumLen]byte
	n := crc32.ChecksumIEEE([]byte(s))
	for i := sumLen - 1; i >= 0; i-- {
		out[i] = base62[n%62]
		n /= 62
	}
	return string(out[:])
}

func decodeText(prefix, text string) ([]byte, error) {
	if len(text) > tokenLimit || len(text) < len(prefix)+sumLen || text[:len(prefix)] != prefix {
		return nil, errBlock
	}
	body, sum := text[:len(text)-sumLen], text[len(text)-sumLen:]
	if checksum(body) != sum {
		return nil, errBlock
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body[len(prefix):])
	if err != nil || encodeText(prefix, b) != text { // the decoder skips newlines
		return nil, errBlock
	}
	return b, nil
}
