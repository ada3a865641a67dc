// SPDX-License-Identifier: Apache-2.0

package powercut

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/keyward-go/keyward/harness/internal/strace"
)

// open is for open and openat.
func (t *tape) open(c *strace.Call) error {
	if c.Result == "?" {
		return nil
	}
	path, flags, err := t.path(c, 0)
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

// path is the path that a call names at argument i, or at i+1 if i is the folder that it is to be looked up in. next is the
// argument behind.
func (t *tape) path(c *strace.Call, i int) (path string, next int, err error) {
	var under string
	if strings.HasSuffix(strings.TrimSuffix(c.Name, "2"), "at") {
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
	first, next, err := t.path(c, 0)
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
		second, _, err := t.path(c, next)
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
