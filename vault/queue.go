// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Bounds of the queue and of one batch.
const (
	maxWaiting    = 65536
	maxBatch      = 1024
	maxBatchBytes = 4 << 20
	maxQueueBytes = 128 << 20 // what those who gave up have left there counts too
)

// queue is the calls that wait for the committer.
type queue struct {
	mu    sync.Mutex
	calls []*call
	bytes int
	ready chan struct{} // holds one token while there may be calls
	done  bool

	turns, vain uint // of gather: how often it was asked, and the yields in a row that brought little
}

func (q *queue) add(c *call) error {
	q.mu.Lock()
	if q.done {
		q.mu.Unlock()
		return ErrClosed
	}
	if len(q.calls) >= maxWaiting || q.bytes+c.size() > maxQueueBytes {
		n := len(q.calls)
		q.mu.Unlock()
		return fmt.Errorf("%w: %w: %d operations wait", ErrNotRecorded, ErrBusy, n)
	}
	q.calls = append(q.calls, c)
	q.bytes += c.size()
	q.mu.Unlock()
	q.wake()
	return nil
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *queue) close() {
	q.mu.Lock()
	q.done = true
	q.mu.Unlock()
	q.wake()
}

// wait returns when there are calls, or false at the end; inside is how many are in the door.
func (q *queue) wait(inside *atomic.Int64) bool {
	for {
		q.mu.Lock()
		waiting, done := len(q.calls), q.done
		q.mu.Unlock()
		if waiting > 0 {
			if inside.Load() > int64(waiting) {
				q.gather(waiting)
			}
			return true
		}
		if done {
			return false
		}
		<-q.ready
	}
}

// gather lets those run who are inside and may be about to ask, so that they get into the batch of n calls that is next. Where agents
// ask again as soon as they are answered, one yield brings most of them. Behind HTTP it runs all that goes on around a call and
// brings few: commits go on sooner without, so after three such yields only every 16th batch tries. One call alone always waits for
// a second.
func (q *queue) gather(n int) {
	q.turns++
	if n > 1 && q.vain >= 3 && q.turns%16 > 0 {
		return
	}
	runtime.Gosched()
	q.mu.Lock()
	grown := len(q.calls)
	q.mu.Unlock()
	switch {
	case n == 1: // most yields double it: that tells nothing
	case 2*grown < 3*n:
		q.vain++
	default:
		q.vain = 0
	}
}

// drain moves as many calls as fit one batch with those that are in it.
func (q *queue) drain(batch []*call) []*call {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := 0
	for _, c := range batch {
		size += c.size()
	}
	n := 0
	for n < len(q.calls) && len(batch) < maxBatch {
		size += q.calls[n].size()
		if size > maxBatchBytes && len(batch) > 0 {
			break
		}
		batch = append(batch, q.calls[n])
		q.bytes -= q.calls[n].size()
		n++
	}
	rest := copy(q.calls, q.calls[n:])
	clear(q.calls[rest:])
	q.calls = q.calls[:rest]
	return batch
}

// size is about what a call adds to a batch.
func (c *call) size() int {
	n := len(c.tail) + len(c.sealed) + len(c.value) + 1<<10
	if c.rotation != nil {
		n += c.rotation.bulk
	}
	return n
}
