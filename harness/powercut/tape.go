// SPDX-License-Identifier: Apache-2.0

package powercut

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/keyward-go/keyward/harness/internal/kit"
)

// kind is what an event does.
type kind int

const (
	write    kind = iota // data at offset
	truncate             // to size offset
	syncFile
	named   // dir/name stands for inode
	forget  // dir/name is no more
	move    // name from becomes name
	syncDir // all names
	acknowledge
)

// event is one thing that was asked of the disk, or told to the parent. start and end are lines of the trace.
type event struct {
	kind       kind
	start, end int
	inode      int
	offset     int64
	data       []byte
	name, from string
	ack        kit.Ack
}

// tape is all events of one child in the order in which they took effect, and the disk as it was before.
type tape struct {
	dir    string
	start  map[string][]byte // files, all synced
	events []event

	names map[string]int // while it is recorded: the inode of each name
	sizes []int64        // by inode
	fds   map[int]*file
}

// file is an open descriptor.
type file struct {
	inode  int // -1: the folder
	at     int64
	append bool
}

// folder is the inode number of the folder.
const folder = -1

// snapshot reads the files of a folder.
func snapshot(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if volatile(e.Name()) {
			continue
		}
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// volatile reports whether a file holds nothing that outlives the system: the shared memory of SQLite.
func volatile(name string) bool { return strings.HasSuffix(name, "-shm") }

// newInode makes one.
func (t *tape) newInode(size int64) int {
	t.sizes = append(t.sizes, size)
	return len(t.sizes) - 1
}

// inside is the name of a path in the folder; ok is false for other paths.
func (t *tape) inside(path string) (name string, ok bool, err error) {
	rest, ok := strings.CutPrefix(path, t.dir+"/")
	if strings.Contains(rest, "/") && ok {
		return "", false, fmt.Errorf("a folder in the folder: %s", rest)
	}
	return rest, ok, nil
}

func (t *tape) add(e event) { t.events = append(t.events, e) }
