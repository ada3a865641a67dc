// SPDX-License-Identifier: Apache-2.0

//go:build unix

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// CheckFolder refuses a folder that does not exist, one in which everyone could replace files, and one on a file system
// that is not this machine's own.
func CheckFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("folder %s does not exist: make it first (mkdir -m 700 %[1]s)", dir)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", dir)
	case info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0:
		return fmt.Errorf("folder %s is writable by everyone, who could then replace its files: chmod o-w %[1]s", dir)
	}
	return checkFileSystem(dir)
}

// CheckFile refuses a file that another user could read or change, or could have put there. It only looks: the file is not
// opened, so it may be a live database, whose locks any close would drop. A missing file is fs.ErrNotExist.
func CheckFile(path string) error {
	_, err := look(path)
	return err
}

func look(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if err := checkInfo(path, info); err != nil {
		return nil, err
	}
	return info, checkFileSystem(path)
}

func checkInfo(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link: name the file that it stands for", path)
	case !mode.IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case !ok || int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user: if its content is yours, chown %d %[1]s", path, os.Geteuid())
	case mode.Perm()&0o077 != 0:
		return fmt.Errorf("%s can be used by others (mode %04o): if nobody else did, chmod 600 %[1]s", path, mode.Perm())
	}
	return nil
}

// Open opens an existing file that CheckFile finds good, and makes sure that it has opened that one. flag is os.O_RDONLY
// or os.O_RDWR, with os.O_APPEND if needed.
//
// Never open a database of SQLite: closing any descriptor of one drops every lock that this process holds on it (POSIX),
// and then another process may delete a log that is in use.
func Open(path string, flag int) (*os.File, error) {
	seen, err := look(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0) // O_NONBLOCK: a pipe put there now must not hang us
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil && !os.SameFile(seen, opened) {
		err = fmt.Errorf("%s was replaced while it was opened: see who writes to its folder", path)
	}
	if err == nil {
		err = checkInfo(path, opened)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// openLock opens the lock file, and makes it if there is none.
func openLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return Open(path, os.O_RDWR)
	case err != nil:
		return nil, err
	}
	if err := errors.Join(f.Chmod(0o600), checkFileSystem(path)); err != nil { // Chmod: a umask may take bits away
		f.Close()
		return nil, err
	}
	return f, nil
}
