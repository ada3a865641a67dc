// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// Lock is an exclusive lock (flock) on a file of its own, against other processes and other handles of this one. A waiter
// is in the kernel's queue and is woken at once; a lock that is polled, as SQLite's is, lets one busy process keep another
// out for seconds. The kernel frees it when the process dies.
//
// A wait for flock knows no deadline and cannot be called off, so a helper goroutine waits: at most one a handle. If its
// caller has given up when the lock comes, the helper gives the lock back; if another caller came meanwhile, that one
// gets it. Lock, TryLock and Unlock are called by one goroutine at a time, Close at any time.
type Lock struct {
	file *os.File
	id   FileID
	raw  syscall.RawConn

	mu   sync.Mutex
	wait *lockWait // the helper's, nil while none waits
}

type lockWait struct {
	wanted bool       // a caller waits for got
	got    chan error // one element
}

// OpenLock opens the lock file at path, and makes it, empty and 0600, if there is none. It is never removed: two processes
// could then hold locks on two files of one name.
func OpenLock(path string) (*Lock, error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	l := &Lock{file: f}
	if l.id, err = idOf(f); err == nil {
		l.raw, err = f.SyscallConn()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// Check refuses to go on when the lock file has been removed or replaced, as people do with what looks left over: then
// another handle may hold a lock of that name.
func (l *Lock) Check() error { return l.id.At(l.file.Name()) }

// Lock waits until the lock is free, or until ctx ends (its error), limit fires (vault.ErrBusy) or closed is closed
// (vault.ErrClosed).
func (l *Lock) Lock(ctx context.Context, limit <-chan time.Time, closed <-chan struct{}) error {
	l.mu.Lock()
	if l.wait == nil {
		if free, err := l.flock(tryLock); free || err != nil {
			l.mu.Unlock()
			return err
		}
		l.wait = &lockWait{got: make(chan error, 1)}
		go l.help(l.wait)
	}
	w := l.wait
	w.wanted = true
	l.mu.Unlock()

	var why error
	select {
	case err := <-w.got:
		return err
	case <-ctx.Done():
		why = ctx.Err()
	case <-limit:
		why = vault.ErrBusy
	case <-closed:
		why = vault.ErrClosed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w.wanted = false
	select {
	case err := <-w.got: // it came in the same instant
		if err == nil {
			l.Unlock()
		}
	default:
	}
	return why
}

// TryLock reports whether it has the lock now. It is false, too, while a helper still waits for a caller that gave up.
func (l *Lock) TryLock() (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wait != nil {
		return false, nil
	}
	return l.flock(tryLock)
}

// help waits for the lock and hands it to whoever wants it then. It stays inside one call of raw, which keeps the
// descriptor from being closed, and its number from being used again, under the wait.
func (l *Lock) help(w *lockWait) {
	_, err := l.flockThen(waitLock, func(fd uintptr, err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.wait = nil
		if w.wanted {
			w.got <- err
		} else if err == nil {
			flock(fd, dropLock)
		}
	})
	if err != nil { // the file is closed: nothing was called
		l.mu.Lock()
		defer l.mu.Unlock()
		l.wait = nil
		w.got <- err
	}
}

// Unlock gives the lock back.
func (l *Lock) Unlock() { l.flock(dropLock) }

// Close lets go of the lock and the file. A helper that waits for a stopped process stays until that process goes on or
// ends.
func (l *Lock) Close() error { return l.file.Close() }

func (l *Lock) flock(how lockOp) (done bool, err error) {
	return l.flockThen(how, nil)
}

func (l *Lock) flockThen(how lockOp, then func(fd uintptr, err error)) (done bool, err error) {
	var e error
	err = l.raw.Control(func(fd uintptr) {
		done, e = flock(fd, how)
		if then != nil {
			then(fd, e)
		}
	})
	if err == nil && then == nil {
		err = e
	}
	return done, err
}

type lockOp int

const (
	tryLock lockOp = iota
	waitLock
	dropLock
)
