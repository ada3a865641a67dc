// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
)

// A call that is decided goes
//
//	commit → queue.add … runCommitter → commitBatch → update → runBatch → updateStore, which runs batch.update: batch.go
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
		if b.reread > 0 {
			since = min(since, b.reread) - 1 // where the head stands, or before
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
