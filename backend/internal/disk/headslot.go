// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/keyward-go/keyward/vault"
)

const (
	headSize = 2 * slotSize
	slotSize = 512
	slotText = slotSize - sha256.Size // what the hash is over
	slotHead = 8 + 2                  // counter and length
	markMax  = 440                    // bytes of the longest mark
)

func checkMark(mark []byte) error {
	if len(mark) > markMax {
		return fmt.Errorf("a mark of %d bytes, more than %d: %w", len(mark), markMax, vault.ErrInvalid)
	}
	return nil
}

// slot is one of the two of a head file.
type slot struct {
	place   int // 0 or 1
	counter uint64
	length  int
	mark    [markMax]byte
}

// encode writes s into the 512 bytes of b.
func (s *slot) encode(b []byte) {
	binary.BigEndian.PutUint64(b, s.counter)
	binary.BigEndian.PutUint16(b[8:], uint16(s.length))
	n := copy(b[slotHead:], s.mark[:s.length])
	clear(b[slotHead+n : slotText])
	sum := sha256.Sum256(b[:slotText])
	copy(b[slotText:], sum[:])
}

// decode reads b, and reports whether it is what encode has written. The last counter is none, since nothing could follow.
func (s *slot) decode(b []byte) bool {
	s.counter = binary.BigEndian.Uint64(b)
	s.length = int(binary.BigEndian.Uint16(b[8:]))
	if s.counter == 0 || s.counter == math.MaxUint64 || s.length > markMax || sha256.Sum256(b[:slotText]) != [sha256.Size]byte(b[slotText:]) {
		return false
	}
	copy(s.mark[:], b[slotHead:slotHead+s.length])
	for _, c := range b[slotHead+s.length : slotText] {
		if c != 0 {
			return false
		}
	}
	return true
}

// newestOf is the newest slot that can be read. One that cannot be was being written when the power failed, or never was.
func newestOf(content *[headSize]byte) (slot, error) {
	var s [2]slot
	var good [2]bool
	for i := range s {
		s[i].place = i
		good[i] = s[i].decode(content[i*slotSize : (i+1)*slotSize])
	}
	switch {
	case !good[0] && !good[1]:
		return slot{}, fmt.Errorf("no slot of the head file can be read: %w", vault.ErrTampered)
	case good[0] && good[1] && s[0].counter == s[1].counter:
		return slot{}, fmt.Errorf("both slots of the head file have one number: %w", vault.ErrTampered)
	case !good[1] || good[0] && s[0].counter > s[1].counter:
		return s[0], nil
	}
	return s[1], nil
}
