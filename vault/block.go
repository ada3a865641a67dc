// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
)

// A block is one link in a token: type(1) ‖ length(2) ‖ fields, each field number(1) ‖ length(2) ‖ bytes, ascending,
// each at most once, none empty.
const (
	blockGrant     = 1
	blockNarrowing = 2
	blockKey       = 3
)

const (
	fieldID = 1 + iota
	fieldIssued
	fieldExpires
	fieldScopes
	fieldAgent
	fieldRun
	fieldUser
	fieldTenant
	fieldDescription
	fieldMaxUses
	fieldNetworks
	fieldOpening
	fieldEnd
)

var errBlock = errors.New("malformed token")

// blockType is the type that link i of the chain has.
func (c Claims) blockType(i int) byte {
	switch {
	case i > c.first():
		return blockNarrowing
	case i == c.first():
		return blockGrant
	}
	return blockKey
}

// appendBlock writes a link that has been checked. A field too long for its length makes the token too long as well,
// which its maker refuses.
func appendBlock(dst []byte, kind byte, l Link) []byte {
	start := len(dst)
	dst = append(dst, kind, 0, 0)
	g := l.Grant
	id, _ := hex.DecodeString(l.ID[len(l.ID)-idHex:])
	opening, _ := hex.DecodeString(l.Opening)
	scopes := g.Scopes.String()
	dst = appendField(dst, fieldID, string(id))
	dst = appendNumber(dst, fieldIssued, unix(l.Issued))
	dst = appendNumber(dst, fieldExpires, unix(l.Expires))
	dst = appendField(dst, fieldScopes, scopes)
	dst = appendField(dst, fieldAgent, g.Agent)
	dst = appendField(dst, fieldRun, g.Run)
	dst = appendField(dst, fieldUser, g.User)
	dst = appendField(dst, fieldTenant, g.Tenant)
	dst = appendField(dst, fieldDescription, g.Description)
	dst = appendNumber(dst, fieldMaxUses, int64(g.MaxUses))
	dst = appendField(dst, fieldNetworks, joinNetworks(g.Networks))
	dst = appendField(dst, fieldOpening, string(opening))
	binary.BigEndian.PutUint16(dst[start+1:], uint16(len(dst)-start-3))
	return dst
}

func appendField(dst []byte, number byte, s string) []byte {
	if s == "" {
		return dst
	}
	dst = append(dst, number)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

func appendNumber(dst []byte, number byte, n int64) []byte {
	if n == 0 {
		return dst
	}
	dst = append(dst, number, 0, 8)
	return binary.BigEndian.AppendUint64(dst, uint64(n))
}

// parseBlock reads the first block of b. The caller encodes what it got again and compares, so one link has one spelling.
func parseBlock(b []byte, parent string) (kind byte, l Link, rest []byte, err error) {
	kind, body, rest, ok := cutField(b)
	if !ok || kind < blockGrant || kind > blockKey {
		return 0, Link{}, nil, errBlock
	}
	l.ID = parent
	for before := byte(0); len(body) > 0; {
		var number byte
		var data []byte
		if number, data, body, ok = cutField(body); !ok || number <= before || number >= fieldEnd {
			return 0, Link{}, nil, errBlock
		}
		before = number
		if err := l.setField(number, data, kind); err != nil {
			return 0, Link{}, nil, err
		}
	}
	if l.ID == parent {
		return 0, Link{}, nil, errBlock // without an id
	}
	return kind, l, rest, nil
}

func cutField(b []byte) (number byte, data, rest []byte, ok bool) {
	if len(b) < 3 {
		return 0, nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[1:]))
	if len(b) < 3+n {
		return 0, nil, nil, false
	}
	return b[0], b[3 : 3+n], b[3+n:], true
}

func (l *Link) setField(number byte, data []byte, kind byte) (err error) {
	g := &l.Grant
	text := string(data)
	switch number {
	case fieldID:
		id := hex.EncodeToString(data)
		switch {
		case len(id) != idHex:
			return errBlock
		case kind == blockKey:
			l.ID = keyPrefix + id
		case l.ID == "":
			l.ID = id
		default:
			l.ID += "." + id
		}
	case fieldIssued:
		n, ok := number64(data)
		l.Issued = fromUnix(n)
		return ifNot(ok)
	case fieldExpires:
		n, ok := number64(data)
		l.Expires = fromUnix(n)
		return ifNot(ok)
	case fieldScopes:
		return g.Scopes.UnmarshalText(data)
	case fieldAgent:
		g.Agent = text
	case fieldRun:
		g.Run = text
	case fieldUser:
		g.User = text
	case fieldTenant:
		g.Tenant = text
	case fieldDescription:
		g.Description = text
	case fieldMaxUses:
		n, ok := number64(data)
		g.MaxUses = int(n)
		return ifNot(ok && int64(g.MaxUses) == n)
	case fieldNetworks:
		g.Networks, err = splitNetworks(text)
		return err
	case fieldOpening:
		l.Opening = hex.EncodeToString(data)
	}
	return nil
}

func number64(data []byte) (int64, bool) {
	if len(data) != 8 {
		return 0, false
	}
	n := int64(binary.BigEndian.Uint64(data))
	return n, n > 0
}

func ifNot(ok bool) error {
	if !ok {
		return errBlock
	}
	return nil
}

// joinNetworks writes prefixes as text with one space between them.
func joinNetworks(networks []netip.Prefix) string {
	var b []byte
	for i, n := range networks {
		if i > 0 {
			b = append(b, ' ')
		}
		b = n.AppendTo(b)
	}
	return string(b)
}

func splitNetworks(s string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for part := range strings.SplitSeq(s, " ") {
		n, err := netip.ParsePrefix(part)
		if err != nil || len(networks) == maxNetworks {
			return nil, errBlock
		}
		networks = append(networks, n)
	}
	return networks, nil
}

// encodeBlocks writes all links: count(1) ‖ blocks.
func (c Claims) encodeBlocks(dst []byte) []byte {
	dst = append(dst, byte(len(c)))
	for i, l := range c {
		dst = appendBlock(dst, c.blockType(i), l)
	}
	return dst
}

// decodeBlocks reads count(1) ‖ blocks, all of b, and returns where each block lies.
func decodeBlocks(b []byte) (c Claims, blocks [][]byte, err error) {
	if len(b) < 1 || b[0] < 1 || b[0] > maxBlocks {
		return nil, nil, errBlock
	}
	count, rest := int(b[0]), b[1:]
	parent := ""
	for i := range count {
		kind, l, after, err := parseBlock(rest, parent)
		if err != nil {
			return nil, nil, err
		}
		if kind == blockKey && i > 0 {
			return nil, nil, errBlock
		}
		blocks = append(blocks, rest[:len(rest)-len(after)])
		c = append(c, l)
		if kind != c.blockType(i) {
			return nil, nil, errBlock
		}
		parent, rest = l.ID, after
	}
	if len(rest) > 0 || !bytes.Equal(c.encodeBlocks(nil), b) {
		return nil, nil, errBlock
	}
	return c, blocks, c.check()
}
