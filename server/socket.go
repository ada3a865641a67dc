// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// listenUnix makes the socket under another name, and links it to its own when its mode is right: nobody connects before, and what
// came there meanwhile is not replaced.
func (how Listening) listenUnix(ctx context.Context, lc *net.ListenConfig, path string) (_ net.Listener, err error) {
	gid := -1 // stays as it is
	if how.Group != "" {
		if gid, err = groupID(how.Group); err != nil {
			return nil, err
		}
	}
	switch {
	case how.Mode == 0:
		how.Mode = 0o600
	case how.Mode&^0o777 != 0:
		return nil, fmt.Errorf("%w: the mode of a socket has permissions only, as 0660", vault.ErrInvalid)
	}
	if err := checkFolder(dirOf(path)); err != nil {
		return nil, err
	}
	if err := makeWay(path); err != nil {
		return nil, err
	}
	own, err := os.MkdirTemp(dirOf(path), ".keyward-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(own)
	made := own + "/s"
	l, err := lc.Listen(ctx, "unix", made)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	s := &socket{Listener: l, path: path}
	if gid >= 0 {
		err = os.Chown(made, -1, gid)
	}
	if err == nil {
		err = os.Chmod(made, how.Mode)
	}
	if err == nil {
		s.made, err = os.Lstat(made)
	}
	if err == nil {
		err = os.Link(made, path)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return s, nil
}

// checkFolder refuses a folder in which everyone could replace the socket, and be given the tokens.
func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("%w: the folder %s is writable by everyone, who could put another socket in its place: chmod o-w %[2]s", vault.ErrInvalid, dir)
	}
	return nil
}

// makeWay removes a socket that nobody listens on.
func makeWay(path string) error {
	there, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case there.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("%w: %s is there and no socket: name another path, or move it away", vault.ErrInvalid, path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w: another process listens on %s: end it, or name another path", vault.ErrConflict, path)
	}
	if now, err := os.Lstat(path); err != nil || !os.SameFile(there, now) { // another process is as far as this one
		return fmt.Errorf("%w: another process has just changed %s", vault.ErrConflict, path)
	}
	return os.Remove(path)
}

func groupID(name string) (int, error) {
	if id, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(id), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("%w: there is no group %s", vault.ErrInvalid, name)
	}
	return strconv.Atoi(g.Gid)
}

// socket is a listener on a Unix socket, which has the path that was asked for and takes it away at its end.
type socket struct {
	net.Listener
	path string
	made fs.FileInfo
}

func (s *socket) Addr() net.Addr { return &net.UnixAddr{Name: s.path, Net: "unix"} }

// Close removes the socket if it is still the one that was made, while that is open: its number is nobody else's until then.
func (s *socket) Close() error {
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.made) {
		_ = os.Remove(s.path) // the next Listen does otherwise
	}
	return s.Listener.Close()
}

func dirOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i+1]
	}
	return "."
}
