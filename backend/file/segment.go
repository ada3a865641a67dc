// SPDX-License-Identifier: Apache-2.0

package file

import (
	"os"
	"sort"
	"sync"

	"github.com/keyward-go/keyward/backend/internal/disk"
	"github.com/keyward-go/keyward/internal/journal"
)

const (
	markEvery  = 16 << 10 // bytes of journal between two marks
	compactMin = 8 << 20  // superseded bytes below which no commit compacts
	readBuffer = 256 << 10
)

// segment is one file of commits, and what is known of it. Compaction makes another.
type segment struct {
	file *os.File
	id   disk.FileID

	marks   []mark      // ascending; only ever appended to
	end     int64       // length of what is committed
	last    journal.Sum // of the last line
	torn    int64       // bytes behind end, which no commit has: cut off before the next
	dropped int64       // bytes that were so cut off and are not noted yet
	wasted  int64       // superseded bytes, about

	readers sync.RWMutex // held by those who read the file, so that it is not closed under them
}

// mark is a place where a line of the journal begins, so that lines are found without an entry for each: 32 bytes for
// every 16 KiB.
type mark struct {
	first int64 // number of the next line of the log
	off   int64
	last  journal.Sum // of the line before
}

// begin notes that the next commit begins with line first of the log.
func (j *segment) begin(first int64) {
	if n := len(j.marks); n == 0 || j.end-j.marks[n-1].off >= markEvery {
		j.marks = append(j.marks, mark{first, j.end, j.last})
	}
}

// find returns a mark from which line n is reached by reading on.
func find(marks []mark, n int64) mark {
	i := sort.Search(len(marks), func(i int) bool { return marks[i].first > n })
	return marks[max(i-1, 0)]
}

// drop counts the lines of the log from a to b as superseded: too many bytes rather than too few, since rows lie between.
func (j *segment) drop(a, b int64) {
	if len(j.marks) > 0 {
		j.wasted = min(j.wasted+find(j.marks, b).off-find(j.marks, a).off, j.end)
	}
}

// due reports whether compaction would halve the file and is worth the pause.
func (j *segment) due() bool { return j.wasted > compactMin && j.wasted > j.end/2 }

func (j *segment) sync() error { return syncData(j.file) }

func (j *segment) close() error {
	j.readers.Lock() // waits for pages that are being read
	defer j.readers.Unlock()
	return j.file.Close()
}
