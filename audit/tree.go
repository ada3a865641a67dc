// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// maxSize bounds the size of a log. tlog's index arithmetic does not end, or panics, on sizes near the end of int64.
const maxSize = 1 << 60

// emptyRoot is the root of the empty tree: the SHA-256 of nothing.
var emptyRoot = sha256.Sum256(nil)

// Head is the size of a log and the root of its tree. It commits to every line below Size.
type Head struct {
	Size int64
	Root [32]byte
}

var errHead = errors.New("no log has such a head")

// check refuses sizes that no log can have, and an empty log with a root of its own.
func (h Head) check() error {
	if h.Size < 0 || h.Size > maxSize || h.Size == 0 && h.Root != emptyRoot {
		return errHead
	}
	return nil
}

// Tree is the right edge of the log's RFC 6962 tree: all that is needed to append to it and to know its head. The
// zero Tree is empty. It is a value: an assignment is a copy, and trees over the same lines are equal under ==.
type Tree struct {
	size int64
	edge [62]tlog.Hash // edge[i]: hash of the full subtree of 2^i leaves, where bit i of size is set; else zero
}

// Append adds a line, without its newline, to the right of the tree.
func (t *Tree) Append(line []byte) {
	h := tlog.RecordHash(line)
	i := bits.TrailingZeros64(^uint64(t.size))
	for level := range i {
		h = tlog.NodeHash(t.edge[level], h)
		t.edge[level] = tlog.Hash{}
	}
	t.edge[i] = h
	t.size++
}

// Head returns the size and root of the tree.
func (t *Tree) Head() Head {
	if t.size == 0 {
		return Head{0, emptyRoot}
	}
	i := bits.TrailingZeros64(uint64(t.size))
	h := t.edge[i]
	for i++; t.size>>i != 0; i++ {
		if t.size>>i&1 == 1 {
			h = tlog.NodeHash(t.edge[i], h)
		}
	}
	return Head{t.size, h}
}

// AppendBinary appends the tree: the size in 8 bytes, big-endian, then the hash of the full subtree for each bit that is
// set in it, from the lowest, so the rightmost and smallest, up. It never fails.
func (t *Tree) AppendBinary(dst []byte) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.size))
	for i := range t.edge {
		if t.size>>i&1 == 1 {
			dst = append(dst, t.edge[i][:]...)
		}
	}
	return dst, nil
}

// MarshalBinary is AppendBinary on its own.
func (t Tree) MarshalBinary() ([]byte, error) { return t.AppendBinary(nil) }

// UnmarshalBinary reads what MarshalBinary wrote, and nothing else. It leaves t as it is if there is an error. That the
// hashes are those of any log is known once the head has been compared with a trusted one.
func (t *Tree) UnmarshalBinary(b []byte) error {
	if len(b) < 8 {
		return errTree
	}
	size := binary.BigEndian.Uint64(b)
	if size > maxSize || len(b) != 8+bits.OnesCount64(size)*tlog.HashSize {
		return errTree
	}
	u := Tree{size: int64(size)}
	rest := b[8:]
	for i := range u.edge {
		if size>>i&1 == 1 {
			u.edge[i], rest = tlog.Hash(rest[:tlog.HashSize]), rest[tlog.HashSize:]
		}
	}
	*t = u
	return nil
}

// AppendText appends the bytes of MarshalBinary in base64 without padding. It never fails.
func (t *Tree) AppendText(dst []byte) ([]byte, error) {
	b, err := t.AppendBinary(nil)
	return base64.RawStdEncoding.AppendEncode(dst, b), err
}

// MarshalText is AppendText on its own.
func (t Tree) MarshalText() ([]byte, error) { return t.AppendText(nil) }

var errTree = errors.New("tree text is malformed")

// UnmarshalText reads what MarshalText wrote, and no other spelling. It leaves t as it is if there is an error.
func (t *Tree) UnmarshalText(text []byte) error {
	if len(text) > base64.RawStdEncoding.EncodedLen(8+len(t.edge)*tlog.HashSize) {
		return errTree
	}
	b, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err != nil || base64.RawStdEncoding.EncodeToString(b) != string(text) {
		return errTree
	}
	return t.UnmarshalBinary(b)
}
