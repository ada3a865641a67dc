// SPDX-License-Identifier: Apache-2.0

package powercut

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/keyward-go/keyward/harness/internal/kit"
)

// cut is one power cut: when, and what of the unsynced rest is kept.
type cut struct {
	line  int // of the trace: calls that had begun before it were asked
	rest  string
	keep  float64 // of the rest, for "some" and "torn"
	seed  uint64
	syncs int // line from which on no sync reaches the disk any more: the seeded bug
}

func (c cut) String() string {
	return fmt.Sprintf("cut at line %d, of the rest %s (%.2f, seed %d)", c.line, c.rest, c.keep, c.seed)
}

var rests = []string{"none", "all", "some", "torn"}

// choose picks a cut at or beside an event.
func (t *tape) choose(r *rand.Rand, bug bool) cut {
	syncs := math.MaxInt
	if bug {
		syncs = t.events[slices.IndexFunc(t.events, func(e event) bool { return e.kind == acknowledge })].start
	}
	e := t.events[r.IntN(len(t.events))]
	line := []int{e.start, e.start + 1, e.end + 1}[r.IntN(3)]
	c := cut{max(line, 0), rests[r.IntN(len(rests))], r.Float64(), r.Uint64(), syncs}
	if bug {
		c.rest = "none" // else it may be damage that is found, and not that something is lost
	}
	return c
}

const sector = 512

// image is the files as the cut leaves them, and what had been acknowledged.
func (t *tape) image(c cut) (files map[string][]byte, acks []kit.Ack) {
	dice := rand.New(rand.NewPCG(c.seed, 0))
	keep := func() bool { return c.rest == "all" || c.rest != "none" && dice.Float64() < c.keep }
	contents := map[int][]byte{}
	names := map[string]int{}
	for i, e := range t.events {
		if e.start >= c.line {
			continue
		}
		switch e.kind {
		case write:
			if c.rest != "torn" || t.synced(i, c) {
				if t.synced(i, c) || keep() {
					contents[e.inode] = put(contents[e.inode], e.data, e.offset)
				}
				continue
			}
			for from := int64(0); from < int64(len(e.data)); {
				to := min(int64(len(e.data)), (e.offset+from)/sector*sector+sector-e.offset)
				if keep() {
					contents[e.inode] = put(contents[e.inode], e.data[from:to], e.offset+from)
				}
				from = to
			}
		case truncate:
			if t.synced(i, c) || keep() {
				contents[e.inode] = resize(contents[e.inode], e.offset)
			}
		case named, forget, move:
			if !t.synced(i, c) && !keep() {
				continue
			}
			if e.kind != named {
				delete(names, e.from)
			}
			if e.kind != forget {
				names[e.name] = e.inode
			}
		case acknowledge:
			acks = append(acks, e.ack)
		}
	}
	files = map[string][]byte{}
	for n, inode := range names {
		files[n] = contents[inode]
	}
	return files, acks
}

// synced reports whether event i was made durable before the cut: by a sync that began when it had ended.
func (t *tape) synced(i int, c cut) bool {
	e := t.events[i]
	for _, s := range t.events[i+1:] {
		right := s.kind == syncFile && s.inode == e.inode
		if e.kind == named || e.kind == forget || e.kind == move {
			right = s.kind == syncDir
		}
		if right && s.start > e.end && s.end < min(c.line, c.syncs) {
			return true
		}
	}
	return false
}

func put(file, data []byte, at int64) []byte {
	file = resize(file, max(int64(len(file)), at+int64(len(data))))
	copy(file[at:], data)
	return file
}

// resize cuts a file, or fills it up with zeros.
func resize(file []byte, size int64) []byte {
	if int64(len(file)) >= size {
		return file[:size:size]
	}
	return append(file, make([]byte, size-int64(len(file)))...)
}

// check builds an image, opens it as a vault and holds it against the acknowledgements.
func check(ctx context.Context, r *kit.Run, n *counts, t *tape, before []kit.Ack, c cut) error {
	files, acks := t.image(c)
	dir, err := os.MkdirTemp(r.Dir, "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, name), bytes.Clone(files[name]), 0o600); err != nil {
			return err
		}
	}
	book := kit.NewBook()
	acks = append(slices.Clone(before), acks...)
	if err := book.Add(acks); err != nil {
		return err
	}
	v, err := kit.OpenVault(ctx, r.Store, dir, nil)
	if err != nil { // also if there is no acknowledgement yet: whoever made it tries again
		return kit.Violationf("the vault does not open: %v", err)
	}
	if len(acks) == 0 {
		n.early.Add(1)
	}
	defer v.Close()
	n.acks.Add(int64(book.Acknowledged))
	return book.Check(ctx, v)
}
