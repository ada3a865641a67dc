// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/keyward-go/keyward/audit"
)

// purgeAt is how many rows of dead tokens may lie in the store: the commit that finds so many removes them, and not more.
const purgeAt = 1024

// lives is the rows of tokens by the time behind which they say nothing: an index of the state, for whoever has the turn to
// commit. An entry is stale when its row has gone, or has another end.
type lives struct {
	alive ends
	dead  []life
}

type life struct {
	end int64 // Unix seconds
	key rowKey
}

func (l *lives) add(k rowKey, end int64) { heap.Push(&l.alive, life{end, k}) }

// ripen counts the rows that ended before a time as dead, and says how many are.
func (l *lives) ripen(end int64) int {
	for len(l.alive) > 0 && l.alive[0].end < end {
		l.dead = append(l.dead, heap.Pop(&l.alive).(life))
	}
	return len(l.dead)
}

// sort forgets what is stale and puts the earliest first.
func (l *lives) sort(s *state) {
	l.dead = slices.DeleteFunc(l.dead, func(e life) bool {
		r, _ := s.rows[e.key].row.(*tokenRow)
		return r == nil || r.Expires != e.end
	})
	slices.SortFunc(l.dead, func(a, b life) int { return cmp.Compare(a.end, b.end) })
}

// ends is a heap, the earliest on top.
type ends []life

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].end < e[j].end }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(x any)        { *e = append(*e, x.(life)) }
func (e *ends) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}

// purge removes the rows of dead tokens if there are many, and records it. Removed rows are handed to no other process:
// every one drops the same by itself, when it reads in the head before which time they ended.
func (b *batch) purge() {
	l := &b.state.lives
	if l.ripen(b.now.Unix()) < purgeAt {
		return
	}
	if l.sort(b.state); len(l.dead) < purgeAt {
		return
	}
	before := b.now.Unix()
	if len(l.dead) > purgeAt {
		before = max(l.dead[purgeAt].end, l.dead[0].end+1) // those of one second go together
	}
	gone := b.dropEnded(before)
	b.head.purged = before
	for _, k := range gone {
		b.sealed = append(b.sealed, Row{k.String(), b.seq(), nil})
	}
	b.purged = &call{op: opPurge, verbatim: true}
	b.purged.record = audit.Record{Op: opPurge.name, Outcome: audit.Granted, Count: len(gone), Detail: `{"before":"` + fromUnix(before).Format(time.RFC3339) + `"}`}
	b.purged.writeRecord()
	b.append(b.purged)
}

// dropEnded stages the removal of every row of a token that ended before a time.
func (b *batch) dropEnded(before int64) (gone []rowKey) {
	b.state.lives.ripen(before)
	drop := func(k rowKey) {
		if r, ok := b.get(k).row.(*tokenRow); ok && r.Expires < before {
			b.remove(k)
			gone = append(gone, k)
		}
	}
	for _, e := range b.state.lives.dead {
		drop(e.key)
	}
	for k := range b.over.rows {
		if k.kind == 't' {
			drop(k)
		}
	}
	return gone
}

// dropWritten stages the removal of every row of a token that was written before a line.
func (b *batch) dropWritten(before int64) (gone []rowKey) {
	drop := func(k rowKey) {
		if e := b.get(k); k.kind == 't' && e.row != nil && e.seq < before {
			b.remove(k)
			gone = append(gone, k)
		}
	}
	for k := range b.state.rows {
		drop(k)
	}
	for k := range b.over.rows {
		drop(k)
	}
	return gone
}

// remove stages the absence of a row of a token.
func (b *batch) remove(k rowKey) {
	old := b.get(k)
	b.sum.sub(old.mac)
	if r, ok := old.row.(*tokenRow); ok && r.Revoked {
		b.over.revoked[rootOf(k.name)]--
	}
	b.over.set(k, entry{})
}
