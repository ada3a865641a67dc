// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/binary"
	"hash"
	"math/bits"
)

// sum is a number modulo 2²⁵⁶, lowest word first.
type sum [4]uint64

func (s *sum) add(t sum) {
	var c uint64
	for i := range s {
		s[i], c = bits.Add64(s[i], t[i], c)
	}
}

func (s *sum) sub(t sum) {
	var b uint64
	for i := range s {
		s[i], b = bits.Sub64(s[i], t[i], b)
	}
}

func (s sum) bytes() (b [32]byte) {
	for i, word := range s {
		binary.BigEndian.PutUint64(b[24-8*i:], word)
	}
	return b
}

const labelRow = "row"

// rowMAC is HMAC-SHA256 of key, sequence and data of a row, each length-prefixed. h is keyed and not shared.
func rowMAC(h hash.Hash, key string, seq int64, data []byte) (s sum) {
	var n [12]byte
	h.Reset()
	writePrefixed(h, []byte(key))
	binary.BigEndian.PutUint32(n[:], 8)
	binary.BigEndian.PutUint64(n[4:], uint64(seq))
	h.Write(n[:])
	writePrefixed(h, data)
	var out [32]byte
	h.Sum(out[:0])
	for i := range s {
		s[i] = binary.BigEndian.Uint64(out[24-8*i:])
	}
	return s
}

func writePrefixed(h hash.Hash, b []byte) {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(b)))
	h.Write(n[:])
	h.Write(b)
}
