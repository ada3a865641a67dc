// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Lines returns up to n lines of a log from number from on, without their newlines: at least one if there is one. A
// store's Lines with a context bound is one. The lines are not kept.
type Lines func(from int64, n int) ([][]byte, error)

// page is how many lines are asked for at a time.
const page = 1000

var errProve = errors.New("prove: no such record or size")

// ProveRecord returns the proof that the log of this size has record seq. It reads the log once, all lines but that
// of seq, a page at a time, and keeps only hashes. It trusts the lines; CheckRecord with a signed head does not.
func ProveRecord(seq, size int64, lines Lines) (Proof, error) {
	if seq < 0 || seq >= size || size > maxSize {
		return nil, errProve
	}
	p, err := tlog.ProveRecord(size, seq, lines.reader())
	if err != nil {
		return nil, err
	}
	return newProof(p), nil
}

// ProveConsistent returns the proof that the log of this size begins with the log that it was at size old. It reads
// what it needs of the log once, as ProveRecord does.
func ProveConsistent(old, size int64, lines Lines) (Proof, error) {
	if old < 0 || old > size || size > maxSize {
		return nil, errProve
	}
	if old == 0 {
		return Proof{}, nil
	}
	p, err := tlog.ProveTree(size, old, lines.reader())
	if err != nil {
		return nil, err
	}
	return newProof(p), nil
}

// reader answers tlog's request for the hashes of subtrees, which do not overlap, by scanning them in log order.
func (lines Lines) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		type subtree struct {
			place    int // in the answer
			from, to int64
		}
		subtrees := make([]subtree, len(indexes))
		for i, index := range indexes {
			level, n := tlog.SplitStoredHashIndex(index)
			subtrees[i] = subtree{i, n << level, (n + 1) << level}
		}
		slices.SortFunc(subtrees, func(a, b subtree) int { return cmp.Compare(a.from, b.from) })
		hashes := make([]tlog.Hash, len(indexes))
		for _, s := range subtrees {
			var t Tree
			if err := lines.each(s.from, s.to, func(line []byte) error { t.Append(line); return nil }); err != nil {
				return nil, err
			}
			hashes[s.place] = t.Head().Root
		}
		return hashes, nil
	})
}

// each calls f with the lines from one number up to another, in order.
func (lines Lines) each(from, to int64, f func(line []byte) error) error {
	for from < to {
		n := int(min(page, to-from))
		got, err := lines(from, n)
		if err != nil {
			return fmt.Errorf("read lines from %d: %w", from, err)
		}
		if len(got) == 0 || len(got) > n {
			return fmt.Errorf("read lines from %d: %d lines for %d", from, len(got), n)
		}
		for _, line := range got {
			if err := f(line); err != nil {
				return err
			}
		}
		from += int64(len(got))
	}
	return nil
}
