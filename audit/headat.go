// SPDX-License-Identifier: Apache-2.0

package audit

import "math/bits"

// HeadAt returns the head that the log had at a size below that of its tree. It reads the lines from where the two trees
// part, which is seldom far back, and hashes them up to the end: if they do not give the tree it is a *TamperError. edge is
// as for ProveRecord.
func (t Tree) HeadAt(size int64, edge Tree, lines Lines) (Head, error) {
	switch {
	case size == t.size:
		return t.Head(), nil
	case size < 0 || size > t.size:
		return Head{}, errProve
	case size < edge.size:
		return Head{}, errArchived(size, edge.size)
	}
	same := bits.Len64(uint64(size ^ t.size)) // from this bit up both sizes, and so both trees, are the same
	u := Tree{size: t.size >> same << same}
	copy(u.edge[same:], t.edge[same:])
	if u.size < edge.size {
		u = edge
	}
	add := func(line []byte) error { u.Append(line); return nil }
	from := u.size
	if err := lines.each(from, size, add); err != nil {
		return Head{}, err
	}
	h := u.Head()
	if err := lines.each(size, t.size, add); err != nil {
		return Head{}, err
	}
	if u != t {
		return Head{}, &TamperError{from, "this record or a later one is not what the head covers"}
	}
	return h, nil
}
