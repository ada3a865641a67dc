// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/keyward-go/keyward/audit"
)

// TestHeadAt compares with the head that the tree had, for every size, every earlier one and some cuts.
func TestHeadAt(t *testing.T) {
	var log [][]byte
	heads, trees := []audit.Head{{Root: (&audit.Tree{}).Head().Root}}, make([]audit.Tree, 1)
	for i := range 70 {
		log = append(log, fmt.Appendf(nil, `{"seq":%d,}`, i))
		next := trees[i]
		next.Append(log[i])
		trees, heads = append(trees, next), append(heads, next.Head())
	}
	read := 0
	lines := func(below int64) audit.Lines {
		return func(from int64, n int) ([][]byte, error) {
			if from < below {
				return nil, fmt.Errorf("line %d was asked for and is archived", from)
			}
			read += n
			return log[from:min(int(from)+n, len(log))], nil
		}
	}
	for size := range trees {
		for at := range size + 1 {
			for _, cut := range []int{0, at / 2, at} {
				got, err := trees[size].HeadAt(int64(at), trees[cut], lines(int64(cut)))
				if err != nil || got != heads[at] {
					t.Fatalf("at %d of %d, cut at %d: %v", at, size, cut, err)
				}
			}
		}
	}
	read = 0
	if _, err := trees[70].HeadAt(69, audit.Tree{}, lines(0)); err != nil || read > 6 {
		t.Errorf("read %d lines for the head before the last: %v", read, err)
	}
	for name, err := range map[string]error{
		"behind the end": second(trees[5].HeadAt(6, audit.Tree{}, lines(0))),
		"negative":       second(trees[5].HeadAt(-1, audit.Tree{}, lines(0))),
		"below the cut":  second(trees[5].HeadAt(2, trees[3], lines(3))),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	var tampered *audit.TamperError
	log[66] = []byte(`{"seq":66,"changed"}`)
	if _, err := trees[70].HeadAt(65, audit.Tree{}, lines(0)); !errors.As(err, &tampered) {
		t.Errorf("a changed line: %v", err)
	}
}
