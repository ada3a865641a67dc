// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"crypto/hmac"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"time"

	"github.com/keyward-go/keyward/audit"
)

const (
	headKey   = "head"
	labelHead = "head"
	format    = 1
)

// vaultID names a vault: 16 random bytes, in every associated data, token and checkpoint.
type vaultID [16]byte

func (id vaultID) String() string { return hex.EncodeToString(id[:]) }

// origin is the name of the vault's log and of its key.
func (id vaultID) origin() string { return "keyward/" + id.String() }

// head is what the row "head" says, but for its MAC: where the log begins and ends, the right edge of its tree, and what
// else every process must agree on. Its root is made from the tree when it is asked for.
type head struct {
	id         vaultID
	size       int64      // of the log
	tree       audit.Tree // right edge
	first      int64      // lowest line kept
	time       time.Time  // of the last record
	generation uint32     // of the keyring
	purged     int64      // rows of tokens that were dead before this Unix second are gone
	reset      int64      // line of the last reset: rows of tokens that were written before it are gone,
	since      int64      // and tokens that were issued before this Unix second are dead
}

// log is size and root.
func (h *head) log() audit.Head { return h.tree.Head() }

// The row is fields of fixed places, the tree as audit.Tree writes it, its size in front, and the MAC:
//
//	format(4) ‖ vault id(16) ‖ first(8) ‖ time: seconds(8), nanoseconds(4) ‖ generation(4) ‖ purged(8) ‖ reset(8) ‖ since(8)
const (
	headFields = 4 + 16 + 8 + 12 + 4 + 8 + 8 + 8
	macSize    = 32
)

func (h *head) appendFields(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, format)
	dst = append(dst, h.id[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.first))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.time.Unix()))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.time.Nanosecond()))
	dst = binary.BigEndian.AppendUint32(dst, h.generation)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.purged))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.reset))
	return binary.BigEndian.AppendUint64(dst, uint64(h.since))
}

// append writes the row. Its MAC binds every deciding row to the head.
func (h *head) append(dst []byte, m *headMAC, rows sum) ([]byte, error) {
	start := len(dst)
	dst, err := h.tree.AppendBinary(h.appendFields(dst))
	return append(dst, m.of(dst[start:], rows)...), err
}

// parseHead reads the row and checks all that needs no key.
func parseHead(data []byte) (h head, mac []byte, err error) {
	if f := data[:min(4, len(data))]; len(f) == 4 && f[0]|f[1]|f[2] == 0 && f[3] > format {
		return h, nil, fmt.Errorf("%w: the vault has format %d, this program knows %d: use a newer keyward", ErrInvalid, f[3], format)
	}
	end := len(data) - macSize
	if end < headFields+8 || h.tree.UnmarshalBinary(data[headFields:end]) != nil {
		return h, nil, fmt.Errorf("%w: the head cannot be read", ErrTampered)
	}
	h.size = int64(binary.BigEndian.Uint64(data[headFields:])) // of the tree
	return h, data[end:], h.parseFields(data[:headFields])
}

// parseFields reads what appendFields wrote of a head whose size is known.
func (h *head) parseFields(data []byte) error {
	number := func(n int) (u uint64) {
		for _, b := range data[:n] {
			u = u<<8 | uint64(b)
		}
		data = data[n:]
		return u
	}
	known := number(4) == format
	data = data[copy(h.id[:], data):]
	h.first = int64(number(8))
	seconds, nanoseconds := int64(number(8)), int64(number(4))
	h.generation = uint32(number(4))
	h.purged, h.reset, h.since = int64(number(8)), int64(number(8)), int64(number(8))
	if !known || h.size < 1 || h.first < 0 || h.first >= h.size || seconds <= 0 || seconds > yearLimit || nanoseconds >= 1e9 ||
		h.purged < 0 || h.reset < 0 || h.reset >= h.size || h.since < 0 {
		return fmt.Errorf("%w: the head cannot be", ErrTampered)
	}
	h.time = time.Unix(seconds, nanoseconds).UTC()
	return nil
}

// headMAC is HMAC-SHA256 over the row as it is stored, and the sum of the rows. It is not for concurrent use.
type headMAC struct {
	hash.Hash
	buf []byte
	out [macSize]byte
}

func (m *headMAC) of(row []byte, rows sum) []byte {
	total := rows.bytes()
	m.Reset()
	m.Write(row)
	m.buf = append(m.buf[:0], total[:]...) // what is written escapes
	m.Write(m.buf)
	return m.Sum(m.out[:0])
}

// verify compares a stored MAC with that of the head and the sum of the rows.
func (m *headMAC) verify(h *head, rows sum, mac []byte) error {
	row, err := h.tree.AppendBinary(h.appendFields(nil))
	if err != nil || !hmac.Equal(mac, m.of(row, rows)) {
		return fmt.Errorf("%w: the rows are not those of the log's head", ErrTampered)
	}
	return nil
}
