// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// linear lets 16 writers take turns on the given handles. The state is one row that counts: each writer reads it as
// changed, adds one, and writes a line of that number. A lost or doubled turn shows as a gap, or as a refused batch.
func (t *trial) linear(handles ...vault.Store) error {
	const writers, turns = 16, 16
	ends := make(chan error, writers+1)
	for w := range writers {
		s := handles[w%len(handles)]
		go func() {
			for range turns {
				err := s.Update(t.ctx, 0, func(changed []vault.Row) (vault.Batch, error) {
					runtime.Gosched() // lets in whoever the lock does not keep out
					return count(changed, w)
				})
				if err != nil {
					ends <- fmt.Errorf("writer %d: %w", w, err)
					return
				}
			}
			ends <- nil
		}()
	}
	stop := make(chan struct{})
	go func() { ends <- t.neverHalf(handles[len(handles)-1], stop) }()
	var err error
	for range writers {
		err = errors.Join(err, <-ends)
	}
	close(stop)
	if err = errors.Join(err, <-ends); err != nil {
		return err
	}
	_, lines, err := t.all(t, 0)
	if err != nil {
		return err
	}
	took := make([]int, writers)
	for n, line := range lines {
		var seq, w int
		if _, err := fmt.Sscanf(string(line), "%d of %d", &seq, &w); err != nil || seq != n {
			return fmt.Errorf("line %d is %s", n, show(line))
		}
		took[w]++
	}
	for w, n := range took {
		if n != turns {
			return fmt.Errorf("writer %d was told of %d commits, the log has %d: %v", w, turns, n, took)
		}
	}
	return nil
}

// count is the next turn.
func count(changed []vault.Row, w int) (vault.Batch, error) {
	n := 0
	for _, r := range changed {
		if r.Key != "n" {
			return vault.Batch{}, fmt.Errorf("row %q is none of ours", r.Key)
		}
		var err error
		if n, err = strconv.Atoi(string(r.Data)); err != nil {
			return vault.Batch{}, err
		}
	}
	return vault.Batch{
		First: int64(n),
		Lines: [][]byte{fmt.Appendf(nil, "%d of %d", n, w)},
		Rows:  []vault.Row{{Key: "n", Seq: int64(n), Data: strconv.AppendInt(nil, int64(n)+1, 10)}},
	}, nil
}

// neverHalf reads beside the writers: the row is there as soon as the line is, and the line as soon as the row.
func (t *trial) neverHalf(s vault.Store, stop chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		rows, err := s.Rows(t.ctx, "n", 1)
		if err != nil {
			return err
		}
		if len(rows) == 1 {
			if n := rows[0].Seq; !t.has(s, n) {
				return fmt.Errorf("row of line %d is seen before the line", n)
			}
			next := rows[0].Seq + 1
			for t.has(s, next) {
				next++
			}
			rows, err = s.Rows(t.ctx, "n", 1)
			if err != nil {
				return err
			}
			if n := rows[0].Seq; n < next-1 {
				return fmt.Errorf("line %d is seen, its row is still that of line %d", next-1, n)
			}
		}
		runtime.Gosched()
	}
}

func (t *trial) has(s vault.Store, n int64) bool {
	l, err := s.Lines(t.ctx, n, 1)
	return err == nil && len(l) == 1
}

// fair lets two callers contend and checks that each has a quarter of the turns or more. A machine that is busy
// otherwise can spoil a run, so three tries are given: a lock that is not fair spoils them all.
func (t *trial) fair(a, b vault.Store) error {
	var err error
	for range 3 {
		var turns [2]int
		if turns, err = t.contend(a, b); err != nil {
			return err
		}
		if slices.Min(turns[:])*4 >= turns[0]+turns[1] {
			return nil
		}
		err = fmt.Errorf("of %d commits one caller had %d, the other %d", turns[0]+turns[1], turns[0], turns[1])
	}
	return err
}

// contend counts who commits, from the moment when both have, until there are 400.
func (t *trial) contend(a, b vault.Store) (turns [2]int, err error) {
	var mu sync.Mutex
	var waits [2]bool
	over := false
	turn := func(me int) (vault.Batch, error) {
		mu.Lock()
		waits[me] = false
		turns[me]++
		if turns[1-me] == 0 {
			turns[me] = 1 // the other has not begun
		}
		over = over || turns[0]+turns[1] >= 400
		first := t.size
		t.size++
		mu.Unlock()
		// Hold the lock until the other has come to the door, and a moment more, so that it surely stands in line.
		for begin := time.Now(); t.ctx.Err() == nil; runtime.Gosched() {
			mu.Lock()
			come := waits[1-me] || over
			mu.Unlock()
			if come && time.Since(begin) > 50*time.Microsecond {
				break
			}
		}
		return vault.Batch{First: first, Lines: lines("l")}, t.ctx.Err()
	}
	ends := make(chan error, 2)
	for me, s := range []vault.Store{a, b} {
		go func() {
			for {
				mu.Lock()
				waits[me] = true
				stop := over
				mu.Unlock()
				if stop {
					ends <- nil
					return
				}
				err := s.Update(t.ctx, 1<<62, func([]vault.Row) (vault.Batch, error) { return turn(me) })
				if err != nil {
					mu.Lock()
					over = true
					mu.Unlock()
					ends <- fmt.Errorf("one of two busy callers: %w", err)
					return
				}
			}
		}()
	}
	err = errors.Join(<-ends, <-ends)
	return turns, err
}
