// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// Everything this package does to files by itself is in this file. It never opens a live database, -wal or -shm:
// closing any descriptor of one drops every lock that this process holds on it (POSIX), and then another process may
// delete a log that is in use. Existing files are looked at by Lstat only.

// prepareFiles makes the database at path if there is none, checks it and what lies beside it, and opens the lock file.
func prepareFiles(path string) (lock *os.File, err error) {
	if err := checkFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, err
		}
	}
	if err := checkFile(path); err != nil {
		return nil, err
	}
	for _, side := range []string{"-wal", "-shm", "-journal"} {
		if err := checkFile(path + side); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return openLock(path + "-lock")
}

// fileID is which file stands under a name.
type fileID struct{ dev, ino uint64 }

// identify answers which file is at path. It refuses one with a second name: opened under both it would have two logs and
// two locks. A database that is just being made has two for a moment.
func identify(path string) (id fileID, err error) {
	for range 100 {
		info, err := os.Lstat(path)
		if err != nil {
			return id, err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return id, fmt.Errorf("%s: %w", path, errors.ErrUnsupported)
		}
		if stat.Nlink == 1 {
			return fileID{uint64(stat.Dev), uint64(stat.Ino)}, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return id, fmt.Errorf("%s has a second name (a hard link, or .keyward-*.new left by a crash): remove the other name", path)
}

// stillThere refuses to go on when the name has come to stand for another file: what is written would be in none that
// anybody finds.
func (s *Store) stillThere() error {
	info, err := os.Lstat(s.path)
	if err == nil {
		stat, ok := info.Sys().(*syscall.Stat_t)
		if ok && stat.Nlink == 1 && s.id == (fileID{uint64(stat.Dev), uint64(stat.Ino)}) {
			return nil
		}
	}
	return fmt.Errorf("the file that was opened is no longer at %s, or has a second name: close and open again: %w", s.path, vault.ErrTampered)
}

func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("folder %s does not exist: make it first (mkdir -m 700 %[1]s)", dir)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", dir)
	case info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0:
		return fmt.Errorf("folder %s is writable by everyone, who could then replace the store: chmod o-w %[1]s", dir)
	}
	return checkFileSystem(dir)
}

// checkFile refuses what another user could read or change, or could have put there.
func checkFile(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	return checkInfo(path, info)
}

func checkInfo(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link: open the file that it stands for", path)
	case !mode.IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case !ok || int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user: chown it to the user that runs this program", path)
	case mode.Perm()&0o077 != 0:
		return fmt.Errorf("%s can be used by others (mode %04o): chmod 600 %[1]s", path, mode.Perm())
	}
	return nil
}

// create makes an empty database that is 0600 from the first instant: under a name of its own, closed before any lock is
// taken, then linked, which never replaces. SQLite gives -wal and -shm the mode of the database.
func create(path string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".keyward-*.new") // O_EXCL, 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = errors.Join(f.Chmod(0o600), f.Sync(), f.Close()) // Chmod: a umask may take bits away
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) { // another Open was first: fine
		return fmt.Errorf("%w (the file system must know hard links)", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openLock opens the side file, and makes it if there is none. It is never removed: two processes could then hold locks
// on two files of one name.
func openLock(path string) (*os.File, error) {
	const flags = os.O_RDWR | syscall.O_NOFOLLOW
	f, err := os.OpenFile(path, flags|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = f.Chmod(0o600)
	} else if errors.Is(err, fs.ErrExist) {
		if err = checkFile(path); err == nil { // before the open, which may wait for ever on a pipe
			f, err = os.OpenFile(path, flags, 0)
		}
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = checkInfo(path, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
