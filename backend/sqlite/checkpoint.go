// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	walPages      = 1000 // the log of SQLite is emptied when it has about so many pages, 4 MiB
	pagesOfOthers = 3    // counted for what another process has committed meanwhile
	scrubWaitMax  = 10 * time.Second
)

// checkpointer copies the pages of SQLite's log into the database, off the path of commits. Under constant load it never
// reaches the end by itself, and the log would grow without bound: so when it has copied most of the log, the next Update
// copies the few pages that came since, waits for the readers of that moment (new ones no longer need the log), at most
// 20 ms, and SQLite begins the log anew.
type checkpointer struct {
	running sync.WaitGroup
	busy    atomic.Bool // one runs
	finish  atomic.Bool // one has run: the next Update finishes
	conn    *conn       // its own, opened when first needed
}

// nudgeCheckpoint starts one in the background if the log has grown. The caller holds the turn.
func (s *Store) nudgeCheckpoint() {
	c := &s.check
	if s.writer.written < walPages || c.finish.Load() || !c.busy.CompareAndSwap(false, true) {
		return
	}
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		defer c.busy.Store(false)
		var err error
		if c.conn == nil {
			c.conn, err = dial(s.path)
		}
		if err == nil {
			_, err = s.checkpoint(c.conn, "passive")
		}
		if err == nil {
			c.finish.Store(true)
		}
	}()
}

// finishCheckpoint ends what the background has begun. The caller holds the turn and the lock, so no commit runs. A full
// disk does not matter yet: the log goes on growing, and the next commit will tell.
func (s *Store) finishCheckpoint() {
	if s.poisoned.Load() != nil || !s.check.finish.CompareAndSwap(true, false) {
		return
	}
	c := s.writer.conn
	s.writer.written = walPages * 3 / 4 // if a reader is in the way, or another process at work: try again soon
	err := c.run("PRAGMA busy_timeout=20")
	if done, e := s.checkpoint(c, "restart"); done && e == nil {
		s.writer.written = 0
	}
	if err = errors.Join(err, c.run("PRAGMA "+busyTimeout)); err != nil {
		s.poison(err)
	}
}

// scrub empties the log of SQLite and cuts it to nothing. It follows a commit, so its errors are none of those that say
// that nothing changed.
func (s *Store) scrub() error {
	for end := time.Now().Add(scrubWaitMax); ; time.Sleep(time.Millisecond) {
		done, err := s.checkpoint(s.writer.conn, "truncate")
		switch {
		case done && err == nil:
			s.writer.written = 0
			s.check.finish.Store(false)
			return nil
		case err == nil && time.Now().After(end):
			err = errors.New("a reader is in the way")
			fallthrough
		case err != nil:
			return fmt.Errorf("committed, but removed bytes may still be in %s-wal: %v", s.path, err)
		}
	}
}

// checkpoint reports whether the whole log is now in the database. An error of the disk counts like that of a commit:
// SQLite's automatic checkpoint would have discarded it.
func (s *Store) checkpoint(c *conn, mode string) (done bool, err error) {
	st, err := c.prepare("PRAGMA wal_checkpoint(" + mode + ")")
	if err != nil {
		return false, err
	}
	defer st.Close()
	err = s.step("sync checkpoint", func() error {
		return st.query(func(row []driver.Value) error {
			busy, _ := row[0].(int64)
			done = busy == 0 && row[1] == row[2]
			return nil
		})
	})
	if diskFailed(err) {
		s.poison(err)
	}
	return done, err
}
