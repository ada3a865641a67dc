// SPDX-License-Identifier: Apache-2.0

package powercut

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/harness/internal/strace"
)

// traced is every call that can change a file, or the place in it where the next write goes. Those that tape.take does not
// know are an error, if they touch the vault.
var traced = []string{
	"open", "openat", "creat", "close", "read", "lseek", "write", "pwrite64", "ftruncate", "fsync", "fdatasync", "link", "linkat", "unlink", "unlinkat",
	"rename", "renameat", "renameat2",
	"openat2", "dup", "dup2", "dup3", "writev", "pwritev", "pwritev2", "truncate", "fallocate", "sendfile", "copy_file_range", "splice", "mkdir", "mkdirat",
	"rmdir", "symlink", "symlinkat", "mmap", "sync_file_range", "io_uring_setup", "ioctl",
}

// newTape reads a trace. start is the folder before it.
func newTape(dir string, start map[string][]byte, calls []strace.Call) (*tape, error) {
	t := &tape{dir: dir, start: start, names: map[string]int{}, fds: map[int]*file{}}
	for name, data := range start {
		t.names[name] = t.newInode(int64(len(data)))
		t.add(event{kind: write, start: -2, end: -2, inode: t.names[name], data: data})
		t.add(event{kind: syncFile, start: -1, end: -1, inode: t.names[name]})
		t.add(event{kind: named, start: -2, end: -2, inode: t.names[name], name: name})
	}
	t.add(event{kind: syncDir, start: -1, end: -1})
	// What a call did, it did when it returned; but a descriptor that is being closed may have a new owner before.
	when := func(c strace.Call) int {
		if c.Name == "close" {
			return c.Start
		}
		return c.End
	}
	slices.SortStableFunc(calls, func(a, b strace.Call) int { return cmp.Compare(when(a), when(b)) })
	for _, c := range calls {
		if err := t.take(&c); err != nil {
			return nil, fmt.Errorf("trace line %d: %s: %w", c.End+1, c.Name, err)
		}
	}
	if !slices.ContainsFunc(t.events, func(e event) bool { return e.kind == acknowledge }) {
		return nil, fmt.Errorf("the trace has no acknowledgement")
	}
	return t, nil
}

// take turns a call into events.
func (t *tape) take(c *strace.Call) error {
	if c.Failed() && c.Result != "?" {
		return nil
	}
	switch c.Name {
	case "open", "openat":
		return t.open(c)
	case "close":
		fd, _, err := c.FD(0)
		delete(t.fds, fd)
		return err
	case "link", "linkat", "unlink", "unlinkat", "rename", "renameat", "renameat2":
		return t.rename(c)
	case "mmap":
		if c.Touches(t.dir) && strings.Contains(strings.Join(c.Args, " "), "MAP_SHARED") {
			return t.unknown(c)
		}
		return nil
	case "sync_file_range": // promises nothing
		return nil
	case "write":
		if strings.HasPrefix(c.Args[0], kit.AckFD) {
			data, err := c.Text(1)
			e := event{kind: acknowledge, start: c.Start, end: c.End}
			err = errors.Join(err, json.Unmarshal(data, &e.ack))
			t.add(e)
			return err
		}
	}
	if c.Touches(t.dir) {
		return t.io(c)
	}
	return nil
}

func (t *tape) unknown(c *strace.Call) error {
	if name, _, err := t.inside(pathOf(c)); err == nil && volatile(name) {
		return nil
	}
	return fmt.Errorf("it changes %s in a way that the harness does not know: teach it", pathOf(c))
}
