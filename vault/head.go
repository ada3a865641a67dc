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
	headKey    = "head"
	keyringKey = "keyring"
	format     = 1
)

// vaultID names a vault: 16 random bytes, in every associated data, token and checkpoint.
type vaultID [16]byte

func (id vaultID) String() string { return hex.EncodeToString(id[:]) }

// origin is the name of the vault's log and of its key.
func (id vaultID) origin() string { return "keyward/" + id.String() }

// head is the size and root of the log, and the MAC that binds every deciding row to them. Whoever moves it holds the
// store's lock.
type head struct {
	id         vaultID
	log        audit.Head // size and root of the log
	tree       audit.Tree // its right edge, which the root proves
	first      int64      // lowest line kept
	time       time.Time  // of the last record
	generation uint32     // of the keyring
	purged     int64      // rows of tokens that were dead before this Unix second are gone
	reset      int64      // line of the last reset: rows of tokens that were written before it are gone,
	since      int64      // and tokens that were issued before this Unix second are dead
}

// The row is headSize bytes of fixed places, then the tree:
//
//	format(4) ‖ vault id(16) ‖ size(8) ‖ root(32) ‖ first(8) ‖ time: seconds(8), nanoseconds(4) ‖ generation(4) ‖ purged(8) ‖
//	reset(8) ‖ since(8) ‖ MAC(32)
const (
	headFields = 4 + 16 + 8 + 32 + 8 + 12 + 4 + 8 + 8 + 8
	headSize   = headFields + 32
)

func (h *head) appendFields(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, format)
	dst = append(dst, h.id[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.log.Size))
	dst = append(dst, h.log.Root[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.first))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.time.Unix()))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.time.Nanosecond()))
	dst = binary.BigEndian.AppendUint32(dst, h.generation)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.purged))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.reset))
	return binary.BigEndian.AppendUint64(dst, uint64(h.since))
}

// append writes the row.
func (h *head) append(dst []byte, m *headMAC, rows sum) ([]byte, error) {
	start := len(dst)
	dst = h.appendFields(dst)
	dst = append(dst, m.of(dst[start:], rows)...)
	return h.tree.AppendBinary(dst)
}

// parseHead reads the row and checks all that needs no key.
func parseHead(data []byte) (h head, mac []byte, err error) {
	if f := data[:min(4, len(data))]; len(f) == 4 && f[0]|f[1]|f[2] == 0 && f[3] > format {
		return h, nil, fmt.Errorf("%w: the vault has format %d, this program knows %d: use a newer keyward", ErrInvalid, f[3], format)
	}
	if len(data) < headSize || binary.BigEndian.Uint32(data) != format || h.tree.UnmarshalBinary(data[headSize:]) != nil {
		return h, nil, fmt.Errorf("%w: the head cannot be read", ErrTampered)
	}
	if err := h.parseFields(data[:headFields]); err != nil {
		return h, nil, err
	}
	if h.log != h.tree.Head() {
		return h, nil, fmt.Errorf("%w: the head does not fit itself", ErrTampered)
	}
	return h, data[headFields:headSize], nil
}

func (h *head) parseFields(data []byte) error {
	number := func(n int) (u uint64) {
		for _, b := range data[:n] {
			u = u<<8 | uint64(b)
		}
		data = data[n:]
		return u
	}
	number(4) // format
	data = data[copy(h.id[:], data):]
	h.log.Size = int64(number(8))
	data = data[copy(h.log.Root[:], data):]
	h.first = int64(number(8))
	seconds, nanoseconds := int64(number(8)), int64(number(4))
	h.generation = uint32(number(4))
	h.purged, h.reset, h.since = int64(number(8)), int64(number(8)), int64(number(8))
	if h.log.Size < 1 || h.first < 0 || h.first >= h.log.Size || seconds <= 0 || seconds > yearLimit || nanoseconds >= 1e9 ||
		h.purged < 0 || h.reset < 0 || h.reset >= h.log.Size || h.since < 0 {
		return fmt.Errorf("%w: the head cannot be", ErrTampered)
	}
	h.time = time.Unix(seconds, nanoseconds).UTC()
	return nil
}

// headMAC is HMAC-SHA256 over the fields of the row as they are stored, and the sum of the rows. It is not for
// concurrent use.
type headMAC struct {
	hash.Hash
	buf [headFields + 32]byte
	out [32]byte
}

func (m *headMAC) of(fields []byte, rows sum) []byte {
	total := rows.bytes()
	m.Reset()
	m.Write(append(append(m.buf[:0], fields...), total[:]...))
	return m.Sum(m.out[:0])
}

// verify compares a stored MAC with that of the head and the sum of the rows.
func (m *headMAC) verify(h *head, rows sum, mac []byte) error {
	var fields [headFields]byte
	if !hmac.Equal(mac, m.of(h.appendFields(fields[:0]), rows)) {
		return fmt.Errorf("%w: the rows are not those of the log's head", ErrTampered)
	}
	return nil
}
