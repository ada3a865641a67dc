// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward-go/keyward/backend/internal/disk"
	"github.com/keyward-go/keyward/vault"
)

const (
	lockWaitMax = 9 * time.Second // with the second of busy_timeout behind it, an Update waits at most 10
	readersMax  = 4
)

// Store is a vault.Store in one SQLite file. Its zero value is not usable: call Open.
type Store struct {
	path   string
	id     disk.FileID // of the file that was opened
	head   *disk.HeadFile
	closed chan struct{} // closed by Close
	once   sync.Once

	turn   chan struct{} // one element: held by the Update that runs; Go serves its waiters in order
	lock   *disk.Lock
	writer *writer // used by the holder of turn

	idle     chan *reader  // that are open and that nobody uses
	unopened chan struct{} // an element for each of readersMax that is not open
	check    checkpointer

	poisoned atomic.Pointer[error]
	fail     func(step string) error // tests break steps with it; nil otherwise
}

var _ vault.Store = (*Store)(nil)

// Open opens the store in the file at path, and makes it, with mode 0600, if there is none; the folder must exist. ctx
// bounds the wait for another process that is making the same store.
//
// It refuses, with an error that says the fix, what is not safe: a symbolic link, a file of another user or one that
// others can read, a folder that everyone can write to, a network file system. A file that is no vault or is damaged is
// vault.ErrTampered; a head file whose database is gone, vault.ErrRollback; one of a newer keyward and every file on
// Windows is errors.ErrUnsupported. One that is not empty and whose head file is missing or cannot be read is opened, for
// vault.Restore alone: see Mark. Several processes, and several handles of one process, may have the same file open.
func Open(ctx context.Context, path string) (*Store, error) {
	s, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	return s, nil
}

func open(ctx context.Context, path string) (_ *Store, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if path == "" {
		return nil, errors.New("no path")
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	lock, err := openLock(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		path:     path,
		closed:   make(chan struct{}),
		turn:     make(chan struct{}, 1),
		lock:     lock,
		idle:     make(chan *reader, readersMax),
		unopened: make(chan struct{}, readersMax),
	}
	for range readersMax {
		s.unopened <- struct{}{}
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(explain(err), s.Close())
	}
	return s, nil
}

// start opens the files and the writer, and makes what is not there yet. What looks foreign is looked at again under the
// lock.
func (s *Store) start(ctx context.Context) error {
	if err := s.openFiles(ctx); err != nil {
		return err
	}
	var mark []byte
	if s.head.Lost() == nil {
		var err error
		if mark, err = s.head.Mark(); err != nil { // before a look into the database: another process may commit at any time
			return err
		}
	}
	c, err := dial(s.path, "cache_size=-8000")
	if err != nil {
		return err
	}
	s.writer = &writer{conn: c}
	holds, err := c.inspect()
	if err != nil || holds == empty { // or half made by another process just now
		err = s.make(ctx, c)
	}
	if err == nil {
		err = c.verify()
	}
	if err == nil && mark != nil {
		var bare bool
		if bare, err = c.bare(); bare {
			err = s.head.StoreMissing(s.path)
		}
	}
	if err == nil {
		err = s.writer.prepareAll()
	}
	return err
}

func (s *Store) make(ctx context.Context, c *conn) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if holds, err := c.inspect(); err != nil || holds == ours { // another was first
		return err
	}
	if err := s.head.Unmarked(s.path); err != nil {
		return err
	}
	return c.initialise()
}

// Close waits for the calls that run, makes those that wait answer vault.ErrClosed, and releases everything. If another
// process is stopped while it holds the lock, one goroutine that waits for it ends when that process goes on.
func (s *Store) Close() (err error) {
	s.once.Do(func() {
		close(s.closed)
		s.turn <- struct{}{} // for good
		s.check.running.Wait()
		var errs []error
		for range readersMax {
			select {
			case r := <-s.idle:
				errs = append(errs, r.Close())
			case <-s.unopened:
			}
		}
		if s.check.conn != nil {
			errs = append(errs, s.check.conn.Close())
		}
		if s.writer != nil {
			errs = append(errs, s.writer.Close()) // the last connection empties the log into the database and removes it
		}
		if s.head != nil {
			errs = append(errs, s.head.Close()) // and sync
		}
		err = errors.Join(append(errs, s.lock.Close())...)
	})
	return err
}

// enter waits for this handle's turn and for the lock on the side file. leave gives both back.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := s.alive(ctx); err != nil {
		return nil, err
	}
	limit := time.NewTimer(lockWaitMax)
	defer limit.Stop()
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-limit.C:
		return nil, vault.ErrBusy
	case <-s.closed:
		return nil, vault.ErrClosed
	}
	err = s.alive(ctx) // both may have been ready
	if err == nil {
		err = s.lock.Lock(ctx, limit.C, s.closed)
	}
	if err != nil {
		<-s.turn
		return nil, err
	}
	return s.leave, nil
}

func (s *Store) leave() {
	s.lock.Unlock()
	<-s.turn
}

// alive is the error of a closed store or an ended context.
func (s *Store) alive(ctx context.Context) error {
	select {
	case <-s.closed:
		return vault.ErrClosed
	default:
		return ctx.Err()
	}
}

// step does what can go wrong, or fails as a test asks for.
func (s *Store) step(name string, do func() error) error {
	if s.fail != nil {
		if err := s.fail(name); err != nil {
			return err
		}
	}
	return do()
}
