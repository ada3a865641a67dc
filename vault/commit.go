// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
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
				runtime.Gosched() // callers that are about to ask get into this batch
			}
			return true
		}
		if done {
			return false
		}
		<-q.ready
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

// From here a call goes
//
//	commit → queue.add … runCommitter → commitBatch → update → runBatch → Store.Update, which runs batch.update: batch.go
//	                                                                    → deliver: auditors.go, which answers c.done
//
// or, if nobody else is about, commit → commitAlone → runBatch.

// commit is step 5 as its caller sees it: wait for the durable record. A caller that gives up only stops waiting. One that
// cannot give up, and is alone, commits by itself: waking the committer and waiting for it takes as long as all the rest
// of a Get in memory.
func (v *core) commit(ctx context.Context, c *call) error {
	if ctx.Done() == nil && v.releaser == nil && v.inside.Load() == 1 {
		if alone, err := v.commitAlone(c); alone {
			return err
		}
	}
	c.done = make(chan error, 1)
	if err := v.queue.add(c); err != nil {
		v.doomed.add(c.dooms)
		return err
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		v.doomed.add(c.dooms) // it may come too late, or not at all
		return ctx.Err()
	}
}

// commitAlone runs a batch of one, unless another batch is running.
func (v *core) commitAlone(c *call) (alone bool, err error) {
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	default:
		return false, nil
	}
	b := v.alone
	b.calls = append(b.calls[:0], c)
	defer clear(b.calls)
	if err := v.runBatch(context.Background(), b); err != nil {
		return true, v.failed(b, c, err)
	}
	return true, b.outcome[0]
}

// runCommitter gathers what waits and commits it, one batch after the other: one flush of the device for many callers.
func (v *core) runCommitter() {
	defer close(v.committed)
	b := v.newBatch()
	b.gathers = true
	for v.queue.wait(&v.inside) {
		b.calls = v.queue.drain(b.calls[:0])
		v.commitBatch(b)
		clear(b.calls)
	}
	if v.releaser != nil {
		v.releaser.stop()
	}
}

func (v *core) commitBatch(b *batch) {
	if err := v.update(context.Background(), b); err != nil {
		v.fail(b, err)
		return
	}
	v.deliver(b)
}

// update runs the calls of a batch at the head of the log and takes in what has changed there. One runs at a time: the
// committer's, or one without calls, which only catches up.
func (v *core) update(ctx context.Context, b *batch) error {
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return v.runBatch(ctx, b)
}

// runBatch is update for who has the turn.
func (v *core) runBatch(ctx context.Context, b *batch) error {
	b.unsure = false
	if v.broken != nil {
		return v.broken
	}
	run := func() error {
		since := v.state.head.size
		if b.since > 0 {
			since = min(since, b.since) - 1 // where the head stands, or before
		}
		return updateStore(ctx, v.store, since, b.update)
	}
	err := run()
	for range followTries { // another process has put other keys in place: unwrap them while the store is not locked
		if err == errFollow {
			if err = v.unwrap(ctx); err == nil {
				err = run()
			}
		}
	}
	b.unsure = b.update.open(err)
	if b.update.given() && errors.Is(err, ErrConflict) {
		err = fmt.Errorf("%w: the log is not as long as its head", ErrTampered)
	}
	if errors.Is(err, ErrTampered) {
		v.broken = err // the state no longer fits the log: nothing is granted until the vault is opened again
	}
	if err != nil {
		return err
	}
	v.take(b)
	for _, k := range b.said {
		v.doomed.remove(k)
	}
	return nil
}

// take makes what a batch has committed, or caught up with, the state of this process.
func (v *core) take(b *batch) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for k, e := range b.over.rows {
		v.state.set(k, e)
	}
	if b.head.reset != v.state.head.reset {
		v.clock.restart()
	}
	v.state.head = b.head
	if b.ring != nil {
		v.ring.Store(b.ring)
		v.follow = follower{}
	}
}

// fail answers every call of a batch that did not become durable, or may not have.
func (v *core) fail(b *batch, err error) {
	for _, c := range b.calls {
		c.done <- v.failed(b, c, err)
	}
}

// failed is what such a call answers. What was to be revoked or frozen is refused in this process from now on.
func (v *core) failed(b *batch, c *call, err error) error {
	c.unsure = b.unsure
	v.doomed.add(c.dooms)
	return fmt.Errorf("%w: %w", ErrNotRecorded, err)
}

// dooms is what is to be refused in this process if the call, which the state as it is allows, cannot be made durable.
func (v *core) dooms(c *call) rowKey {
	switch {
	case c.op != opRevoke && c.op != opFreeze || c.refused != nil:
		return rowKey{}
	case c.who.operator == "" && v.doomed.links.size.Load() >= maxDoomed:
		return rowKey{kind: 't', name: c.who.claims[c.who.claims.first()].ID}
	}
	return c.doom()
}
