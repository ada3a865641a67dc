// SPDX-License-Identifier: Apache-2.0

package powercut

import (
	"fmt"
	"strings"

	"github.com/keyward-go/keyward/harness/internal/strace"
)

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
