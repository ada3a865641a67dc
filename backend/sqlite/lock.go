// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// fileLock is an exclusive flock on the side file. SQLite's own lock is polled with growing sleeps, so that one busy
// process can keep another out for seconds; in the kernel's queue a waiter is woken at once.
//
// A wait for flock knows no deadline and cannot be called off, so a helper goroutine waits: at most one a handle. If its
// caller has given up when the lock comes, the helper gives the lock back; if another caller came meanwhile, that one
// gets it. Only the holder of Store.turn calls lock and unlock.
type fileLock struct {
	file *os.File
	raw  syscall.RawConn

	mu   sync.Mutex
	wait *lockWait // the helper's, nil while none waits
}

type lockWait struct {
	wanted bool       // a caller waits for got
	got    chan error // one element
}

func newFileLock(f *os.File) (*fileLock, error) {
	raw, err := f.SyscallConn()
	return &fileLock{file: f, raw: raw}, err
}

// lock waits until the lock is free, ctx or limit ends, or closed is closed.
func (l *fileLock) lock(ctx context.Context, limit <-chan time.Time, closed <-chan struct{}) error {
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
			l.unlock()
		}
	default:
	}
	return why
}

// help waits for the lock and hands it to whoever wants it then. It stays inside one call of raw, which keeps the
// descriptor from being closed, and its number from being used again, under the wait.
func (l *fileLock) help(w *lockWait) {
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

func (l *fileLock) unlock() { l.flock(dropLock) }

// close lets go of the lock. A helper that waits for a stopped process stays until that process goes on or ends.
func (l *fileLock) close() error { return l.file.Close() }

func (l *fileLock) flock(how lockOp) (done bool, err error) {
	return l.flockThen(how, nil)
}

func (l *fileLock) flockThen(how lockOp, then func(fd uintptr, err error)) (done bool, err error) {
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
