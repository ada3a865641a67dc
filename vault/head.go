// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"strconv"
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
	purged     int64      // rows of tokens dead before this Unix second are gone
}

type headJSON struct {
	Format     int        `json:"format"`
	Vault      string     `json:"vault"`
	Size       int64      `json:"size"`
	Root       []byte     `json:"root"`
	Edge       audit.Tree `json:"edge"`
	First      int64      `json:"first"`
	Time       time.Time  `json:"time"`
	Generation uint32     `json:"keyring"`
	Purged     int64      `json:"purged"`
	MAC        []byte     `json:"mac"`
}

// headMAC is HMAC-SHA256 over vault id, format, size, root, first, time (seconds and nanoseconds), generation, purged
// and sum, all of fixed width. It is not for concurrent use.
type headMAC struct {
	hash.Hash
	buf [160]byte
	out [32]byte
}

func (m *headMAC) of(h *head, rows sum) []byte {
	b := append(m.buf[:0], h.id[:]...)
	b = binary.BigEndian.AppendUint32(b, format)
	b = binary.BigEndian.AppendUint64(b, uint64(h.log.Size))
	b = append(b, h.log.Root[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.first))
	b = binary.BigEndian.AppendUint64(b, uint64(h.time.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(h.time.Nanosecond()))
	b = binary.BigEndian.AppendUint32(b, h.generation)
	b = binary.BigEndian.AppendUint64(b, uint64(h.purged))
	total := rows.bytes()
	m.Reset()
	m.Write(append(b, total[:]...))
	return m.Sum(m.out[:0])
}

// verify compares a stored MAC with that of the head and the sum of the rows.
func (m *headMAC) verify(h *head, rows sum, mac []byte) error {
	if !hmac.Equal(mac, m.of(h, rows)) {
		return fmt.Errorf("%w: the rows are not those of the log's head", ErrTampered)
	}
	return nil
}

// append writes the row. It is on the path of every commit, so it is written by hand; parseHead reads it as JSON.
func (h *head) append(dst []byte, m *headMAC, rows sum) ([]byte, error) {
	dst = append(dst, `{"format":1,"vault":"`...)
	dst = hex.AppendEncode(dst, h.id[:])
	dst = append(dst, `","size":`...)
	dst = strconv.AppendInt(dst, h.log.Size, 10)
	dst = append(dst, `,"root":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, h.log.Root[:])
	dst = append(dst, `","edge":"`...)
	dst, err := h.tree.AppendText(dst)
	dst = append(dst, `","first":`...)
	dst = strconv.AppendInt(dst, h.first, 10)
	dst = append(dst, `,"time":"`...)
	dst = h.time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","keyring":`...)
	dst = strconv.AppendUint(dst, uint64(h.generation), 10)
	dst = append(dst, `,"purged":`...)
	dst = strconv.AppendInt(dst, h.purged, 10)
	dst = append(dst, `,"mac":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, m.of(h, rows))
	return append(dst, `"}`...), err
}

// parseHead reads the row and checks all that needs no key.
func parseHead(data []byte) (h head, mac []byte, err error) {
	var j headJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return h, nil, fmt.Errorf("%w: the head cannot be read", ErrTampered)
	}
	if j.Format > format {
		return h, nil, fmt.Errorf("%w: the vault has format %d, this program knows %d: use a newer keyward", ErrInvalid, j.Format, format)
	}
	id, err := hex.DecodeString(j.Vault)
	h.log = j.Edge.Head()
	if err != nil || copy(h.id[:], id) != len(h.id) || len(id) != len(h.id) || j.Format != format ||
		h.log.Size != j.Size || string(h.log.Root[:]) != string(j.Root) || j.First < 0 || j.First > j.Size || j.Size < 1 {
		return h, nil, fmt.Errorf("%w: the head does not fit itself", ErrTampered)
	}
	h.tree, h.first, h.time, h.generation, h.purged = j.Edge, j.First, j.Time, j.Generation, j.Purged
	return h, j.MAC, nil
}
