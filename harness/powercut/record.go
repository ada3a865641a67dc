// SPDX-License-Identifier: Apache-2.0

package powercut

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
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

// pathOf is the path behind the first descriptor among the arguments.
func pathOf(c *strace.Call) string {
	for i := range c.Args {
		if _, path, err := c.FD(i); err == nil && path != "" {
			return path
		}
	}
	return ""
}

// io is for calls on an open file.
func (t *tape) io(c *strace.Call) error {
	fd, path, err := c.FD(0)
	if err != nil {
		return t.unknown(c)
	}
	f := t.fds[fd]
	name, _, err := t.inside(strings.TrimSuffix(path, " (deleted)"))
	if err != nil || volatile(name) {
		return err
	}
	if f == nil {
		return fmt.Errorf("descriptor %d of %s was not seen to be opened", fd, path)
	}
	e := event{start: c.Start, end: c.End, inode: f.inode}
	switch c.Name {
	case "read":
		n, err := c.Returned()
		f.at += n
		return err
	case "lseek":
		f.at, err = c.Returned()
		return err
	case "fsync", "fdatasync":
		if e.kind = syncFile; f.inode == folder {
			e.kind = syncDir
		}
		if c.Result == "?" {
			return nil
		}
	case "ftruncate":
		e.kind = truncate
		if e.offset, err = c.Int(1); err != nil {
			return err
		}
		t.sizes[f.inode] = e.offset
	case "write", "pwrite64":
		if err := t.write(c, f, &e); err != nil {
			return err
		}
	default:
		return t.unknown(c)
	}
	t.add(e)
	return nil
}

func (t *tape) write(c *strace.Call, f *file, e *event) (err error) {
	e.kind = write
	if e.data, err = c.Text(1); err != nil {
		return err
	}
	if c.Result != "?" {
		n, err := c.Returned()
		if err != nil || n > int64(len(e.data)) {
			return fmt.Errorf("it returned %q", c.Result)
		}
		e.data = e.data[:n]
	}
	size := &t.sizes[f.inode]
	switch {
	case c.Name == "pwrite64" && f.append:
		return fmt.Errorf("pwrite64 to a file opened with O_APPEND")
	case c.Name == "pwrite64":
		if e.offset, err = c.Int(3); err != nil {
			return err
		}
	case f.append:
		e.offset = *size
	default:
		e.offset = f.at
	}
	end := e.offset + int64(len(e.data))
	if c.Name == "write" {
		f.at = end
	}
	*size = max(*size, end)
	return nil
}

// open is for open and openat.
func (t *tape) open(c *strace.Call) error {
	if c.Result == "?" {
		return nil
	}
	path, flags, err := t.path(c, "openat", 0)
	if err != nil {
		return err
	}
	fd, _, err := c.ResultFD()
	if err != nil {
		return err
	}
	delete(t.fds, fd)
	if filepath.Clean(path) == t.dir {
		t.fds[fd] = &file{inode: folder}
		return nil
	}
	name, ok, err := t.inside(filepath.Clean(path))
	if err != nil || !ok || volatile(name) {
		return err
	}
	inode, known := t.names[name]
	if !known {
		inode = t.newInode(0)
		t.names[name] = inode
		t.add(event{kind: named, start: c.Start, end: c.End, inode: inode, name: name})
	} else if strings.Contains(c.Args[flags], "O_TRUNC") {
		t.sizes[inode] = 0
		t.add(event{kind: truncate, start: c.Start, end: c.End, inode: inode})
	}
	t.fds[fd] = &file{inode: inode, append: strings.Contains(c.Args[flags], "O_APPEND")}
	return nil
}

// path is the path that a call names at argument i, or behind the folder at i if the call's name is that of one that takes
// a folder; next is the argument behind.
func (t *tape) path(c *strace.Call, withFolder string, i int) (path string, next int, err error) {
	var under string
	if strings.HasPrefix(c.Name, withFolder) {
		if _, under, err = c.FD(i); err != nil {
			return "", 0, err
		}
		i++
	}
	text, err := c.Text(i)
	if path = string(text); !filepath.IsAbs(path) {
		path = filepath.Join(under, path)
	}
	return path, i + 1, err
}

// rename is for calls that change names.
func (t *tape) rename(c *strace.Call) error {
	if c.Result == "?" {
		return nil
	}
	family := map[string]string{"linkat": "linkat", "unlinkat": "unlinkat", "renameat": "renameat", "renameat2": "renameat2"}[c.Name]
	if family == "" {
		family = "none"
	}
	first, next, err := t.path(c, family, 0)
	if err != nil {
		return err
	}
	old, ok, err := t.inside(first)
	if err != nil || !ok || volatile(old) {
		return err
	}
	inode, known := t.names[old]
	if !known {
		return fmt.Errorf("%s is not known", old)
	}
	e := event{start: c.Start, end: c.End, inode: inode, name: old, from: old, kind: forget}
	if !strings.HasPrefix(c.Name, "unlink") {
		second, _, err := t.path(c, family, next)
		if err != nil {
			return err
		}
		if e.name, ok, err = t.inside(second); err != nil || !ok {
			return fmt.Errorf("out of the folder, to %s", second)
		}
		t.names[e.name] = inode
		e.kind = named
	}
	if strings.HasPrefix(c.Name, "rename") {
		e.kind = move
	}
	if e.kind != named {
		delete(t.names, old)
	}
	t.add(e)
	return nil
}
