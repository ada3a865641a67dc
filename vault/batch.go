// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"hash"

	"github.com/keyward-go/keyward/audit"
)

// batch is the calls of one store update, and what they change. One is used again and again, by whoever has the turn to commit.
type batch struct {
	view
	calls    []*call
	gathers  bool // takes more calls once it has the lock
	over     staging
	dirty    []rowKey // rows that this batch writes, in the order in which they were first written
	said     []rowKey // rows that now say what this process refuses because it could not be said before
	sealed   []Row    // values and keyrings to write or remove, rows to remove, and other rows that decide nothing
	keep     int64    // lines below it are dropped
	purged   *call    // whose record says that rows of dead tokens are removed
	ring     *keyring // that this batch brings, if it does
	scrub    bool     // what is removed is to leave no bytes behind
	head     head
	clock    readTime
	sum      sum
	buf      []byte
	lines    [][]byte
	outcome  []error // of each call; nil: granted
	recorded []bool
	rowMAC   hash.Hash
	headMAC  headMAC
	headRow  []byte
	markMAC  hash.Hash // nil without a head file
	mark     []byte
	rows     []Row
	reread   int64 // if not zero: the head, and the rows of this line and later, are read although this process may know them
	changed  []Row // what was read so
	update   *update
	unsure   bool // whether the batch was committed is not known
}

func (v *core) newBatch() *batch {
	b := &batch{rowMAC: v.keys().sub(labelRow), headMAC: headMAC{Hash: v.keys().sub(labelHead)}}
	if v.headFile != nil {
		b.markMAC = v.keys().sub(labelMark)
	}
	b.update = newUpdate(func(changed []Row) (Batch, error) {
		if err := b.start(v, v.clock.read(), changed); err != nil {
			return Batch{}, err
		}
		if b.gathers { // those too that came while another process had the lock
			b.calls = v.queue.drain(b.calls)
		}
		for _, c := range b.calls {
			b.run(c)
		}
		return b.finish()
	})
	return b
}

// start begins again at the state as it is, with the rows that this process has missed. Those that it knows change nothing.
func (b *batch) start(v *core, now readTime, changed []Row) error {
	if b.reread > 0 {
		b.changed = changed
	}
	b.over.reset()
	b.dirty, b.said, b.sealed, b.buf, b.lines = b.dirty[:0], b.said[:0], b.sealed[:0], b.buf[:0], b.lines[:0]
	b.outcome, b.recorded, b.keep, b.purged = b.outcome[:0], b.recorded[:0], 0, nil
	b.head, b.sum, b.ring, b.scrub = v.state.head, v.state.sum, nil, false
	b.view = v.view(now, &b.over)
	b.at = &b.head
	if err := b.catchUp(changed); err != nil {
		return err
	}
	if b.head.reset != v.state.head.reset { // the clock was wrong, and this process may have begun then
		now.steady = now.wall
	}
	b.clock = now
	b.now, b.behind = now.after(b.head.time)
	return nil
}

// put stages a row as it is stored.
func (b *batch) put(k rowKey, e entry) {
	old := b.get(k)
	b.sum.sub(old.mac)
	b.sum.add(e.mac)
	if r, ok := e.row.(*tokenRow); ok && r.Revoked {
		if was, ok := old.row.(*tokenRow); !ok || !was.Revoked {
			b.over.revoked[rootOf(k.name)]++
		}
	}
	b.over.set(k, e)
}

// write stages a row that this batch changes. Its hash joins the sum when the batch is complete.
func (b *batch) write(k rowKey, row any) {
	old := b.get(k)
	if !old.dirty {
		b.dirty = append(b.dirty, k)
	}
	b.put(k, entry{row: row, seq: b.seq(), dirty: true})
}

// seq is the number of the line that is being written.
func (b *batch) seq() int64 { return b.head.size + int64(len(b.lines)) }

// run decides one call at the head, on what the calls before it have left, and appends its record. This is where it counts:
// every other writer is locked out.
func (b *batch) run(c *call) {
	p, r := c.plan, c.refused
	if !c.verbatim {
		moved := c.generation != b.head.generation // proved, opened or sealed with former keys
		if !moved {
			c.who.lookUp(b.view)
			p, r = decide(b.view, c)
		}
		// What was refused on old rows, or opened or sealed by them, has to be done again.
		if moved || r == nil && (c.refused != nil || p.sight != c.plan.sight) {
			if c.try < tries+b.head.generation-c.born {
				b.end(errAgain, false)
				return
			}
			r = unsettled
		}
		if r != nil {
			c.failed = nil // a version that could not be opened has gone meanwhile
		}
	}
	c.settle(p, r)
	if r == nil && c.failed == nil && !c.verbatim {
		if c.op.burns {
			c.record.Uses = b.burn(c.who.claims)
		}
		if c.op.apply != nil {
			c.plan = p
			c.op.apply(b, c)
		}
	}
	b.append(c)
	switch {
	case c.failed != nil:
		b.end(c.failed, true)
	case r != nil:
		b.end(r.error(), true)
	default:
		b.end(nil, true)
	}
}

func (b *batch) end(err error, recorded bool) {
	b.outcome, b.recorded = append(b.outcome, err), append(b.recorded, recorded)
}

// burn counts a use at every link that has a limit, and returns the counts.
func (b *batch) burn(claims Claims) (uses []int) {
	for i, l := range claims {
		if l.Grant.MaxUses == 0 {
			continue
		}
		if uses == nil {
			uses = make([]int, len(claims))
		}
		t := b.token(l.ID)
		t.Uses++
		t.Expires = unix(claims[:i+1].endsBy(longestTTL))
		uses[i] = t.Uses
		b.write(rowKey{kind: 't', name: l.ID}, &t)
	}
	return uses
}

// append writes the line of a call's record.
func (b *batch) append(c *call) {
	c.record.Seq, c.record.Time = b.seq(), b.now
	start := len(b.buf)
	b.buf = c.record.AppendOpening(b.buf)
	b.buf = append(b.buf, c.tail...)
	b.lines = append(b.lines, b.buf[start:len(b.buf):len(b.buf)])
}

// finish advances the head over the new lines and returns what the store has to commit.
func (b *batch) finish() (Batch, error) {
	if len(b.lines) == 0 {
		return Batch{}, nil
	}
	b.purge()
	out := Batch{First: b.head.size, Lines: b.lines, Rows: b.rows[:0], Keep: b.keep, Scrub: b.scrub}
	for _, k := range b.dirty {
		e := b.over.rows[k]
		if e.row == nil {
			continue // removed after it was written
		}
		data, err := encodeRow(e.row)
		if err != nil {
			return Batch{}, err
		}
		key := k.String()
		e.mac, e.dirty = rowMAC(b.rowMAC, key, e.seq, data), false
		b.sum.add(e.mac)
		b.over.rows[k] = e
		out.Rows = append(out.Rows, Row{key, e.seq, data})
	}
	for _, line := range b.lines {
		b.head.tree.Append(line)
	}
	b.head.size, b.head.time = b.head.size+int64(len(b.lines)), b.now
	var err error
	if b.headRow, err = b.head.append(b.headRow[:0], &b.headMAC, b.sum); err != nil {
		return Batch{}, err
	}
	out.Rows = append(append(out.Rows, b.sealed...), Row{headKey, b.head.size - 1, b.headRow})
	b.rows = out.Rows
	if b.markMAC != nil {
		b.mark = b.head.appendMark(b.mark[:0], b.markMAC)
		out.Mark = b.mark
	}
	return out, nil
}

// records are those of the committed calls, for auditors.
func (b *batch) records() []audit.Record {
	var out []audit.Record
	for i, c := range b.calls {
		if b.recorded[i] {
			out = append(out, c.record)
		}
	}
	if b.purged != nil {
		out = append(out, b.purged.record)
	}
	return out
}
