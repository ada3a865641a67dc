// SPDX-License-Identifier: Apache-2.0

package vault

import "fmt"

// catchUp takes in rows that other processes, or a commit of unknown outcome, have written. The MAC of the head that came
// with them must fit.
func (b *batch) catchUp(changed []Row) error {
	if len(changed) == 0 && b.reread == 0 {
		return nil
	}
	var mac, ring []byte
	before := b.head
	for _, r := range changed {
		switch r.Key {
		case cutKey:
			continue
		case keyringKey:
			ring = r.Data
		case headKey:
			h, m, err := parseHead(r.Data)
			if err != nil {
				return err
			}
			if r.Seq != h.size-1 || !h.follows(&before) {
				return fmt.Errorf("%w: the head is not behind the one before", ErrTampered)
			}
			b.head, mac = h, m
		default:
			k, e, err := readEntry(b.rowMAC, r)
			if err != nil {
				return err
			}
			b.put(k, e)
		}
	}
	if b.head.reset != before.reset {
		b.dropWritten(b.head.reset)
	}
	if b.head.purged != before.purged {
		b.dropEnded(b.head.purged)
	}
	if err := b.headMAC.verify(&b.head, b.sum, mac); err != nil {
		return err
	}
	return b.follow(ring)
}

// follows reports whether a head can stand behind another. Time goes back, and purged with it, across a reset only.
func (h *head) follows(before *head) bool {
	onward := h.reset > before.reset || h.reset == before.reset && !h.time.Before(before.time) && h.purged >= before.purged
	return onward && h.id == before.id && h.size >= before.size && h.first >= before.first && h.generation >= before.generation
}
