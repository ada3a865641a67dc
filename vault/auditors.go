// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/keyward-go/keyward/audit"
)

// Auditor is told of each batch of records that this process has committed, in order. The records are its own, to keep or
// to change. A panic is an error. It may read Log: one that needs the records of other processes too, or those it has
// missed, does. It may not wait for another call of the vault: that waits for it.
type Auditor interface {
	Audit(ctx context.Context, records []audit.Record) error
}

// releaser hands each committed batch to all auditors at once, then moves the anchor, and releases the batch if all accept.
// The committer runs at most one batch ahead. Observers hear of it afterwards, each at its own pace.
type releaser struct {
	auditors  []*watched
	anchor    *anchored // nil without one
	observers []*observer
	timeout   time.Duration
	batches   chan released
	done      chan struct{}
}

type released struct {
	calls   []*call
	outcome []error
	records []audit.Record
	head    head
}

func newReleaser(cfg Config, anchor *anchored) *releaser {
	r := &releaser{anchor: anchor, timeout: cfg.AuditTimeout, batches: make(chan released), done: make(chan struct{})}
	if r.timeout == 0 {
		r.timeout = 5 * time.Second
	}
	for _, a := range cfg.Auditors {
		r.auditors = append(r.auditors, watch(a))
	}
	for _, a := range cfg.Observers {
		r.observers = append(r.observers, observe(a, r.timeout))
	}
	go r.run()
	return r
}

// deliver answers the callers of a committed batch.
func (v *core) deliver(b *batch) {
	if v.releaser == nil {
		for i, c := range b.calls {
			c.done <- b.outcome[i]
		}
		return
	}
	v.releaser.batches <- released{slices.Clone(b.calls), slices.Clone(b.outcome), b.records(), b.head}
}

func (r *releaser) run() {
	defer close(r.done)
	for b := range r.batches {
		var err error
		if len(b.records) > 0 {
			err = r.ask(b.records)
			if err == nil && r.anchor != nil {
				err = r.move(b.head)
			}
		}
		for i, c := range b.calls {
			if err != nil && b.outcome[i] != errAgain {
				b.outcome[i] = fmt.Errorf("%w: %w", ErrNotRecorded, err)
				c.stands = true
			}
			c.done <- b.outcome[i]
		}
		for _, o := range r.observers {
			o.offer(b.records)
		}
	}
}

// ask waits until all auditors have accepted, one refuses, or the time is over.
func (r *releaser) ask(records []audit.Record) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	answers := make(chan error, len(r.auditors))
	for _, a := range r.auditors {
		go func() { answers <- a.tell(ctx, records) }()
	}
	var first error
	for range r.auditors { // all of them: one that refuses takes nothing from the others
		if err := <-answers; err != nil && first == nil {
			first = fmt.Errorf("auditor: %w", err)
		}
	}
	return first
}

func (r *releaser) move(to head) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	return r.anchor.advance(ctx, to)
}

// stop waits until nothing is to be told and nobody is being told any more; a while for those that hang.
func (r *releaser) stop() {
	close(r.batches)
	<-r.done
	var waiting sync.WaitGroup
	for _, a := range r.auditors {
		waiting.Go(func() { a.rest(r.timeout) })
	}
	for _, o := range r.observers {
		waiting.Go(func() { o.stop(r.timeout) })
	}
	if r.anchor != nil {
		waiting.Go(func() { r.anchor.gate.rest(r.timeout) })
	}
	waiting.Wait()
}

// gate lets one call of a user's code run at a time, so that one which hangs holds one goroutine.
type gate struct{ idle chan struct{} }

func newGate() *gate {
	g := &gate{make(chan struct{}, 1)}
	g.idle <- struct{}{}
	return g
}

// rest waits until nothing runs, for a while.
func (g *gate) rest(patience time.Duration) {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-g.idle:
	case <-t.C:
	}
}

var errGone = errors.New("ended its goroutine")

// do returns what f answers, or the error of ctx. Until f has returned, the next do waits.
func (g *gate) do(ctx context.Context, f func(context.Context) error) error {
	select {
	case <-g.idle:
	case <-ctx.Done():
		return fmt.Errorf("still busy with a call before: %w", ctx.Err())
	}
	answer := make(chan error, 1)
	go func() {
		err := errGone // should it call runtime.Goexit
		defer func() {
			g.idle <- struct{}{}
			answer <- err
		}()
		err = contain(func() error { return f(ctx) })
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	}
}

// watched is an auditor that is asked about one batch at a time.
type watched struct {
	Auditor
	*gate
}

func watch(a Auditor) *watched { return &watched{a, newGate()} }

// tell returns what the auditor answers, or the error of ctx.
func (a *watched) tell(ctx context.Context, records []audit.Record) error {
	return a.do(ctx, func(ctx context.Context) error { return a.Audit(ctx, own(records)) })
}

// own returns copies that share nothing with others. Auditors run at once: one that masks the metadata in place, beside one
// that reads it, would end the program, and no panic of theirs could be caught.
func own(records []audit.Record) []audit.Record {
	records = slices.Clone(records)
	for i := range records {
		r := &records[i]
		r.Uses, r.Metadata = slices.Clone(r.Uses), maps.Clone(r.Metadata)
	}
	return records
}

// maxBehind is how many batches an observer may be behind before it misses one.
const maxBehind = 1024

// observer is told of batches in a goroutine of its own.
type observer struct {
	*watched
	queue chan []audit.Record
	done  chan struct{}
	ctx   context.Context
	end   context.CancelFunc
}

func observe(a Auditor, timeout time.Duration) *observer {
	o := &observer{watched: watch(a), queue: make(chan []audit.Record, maxBehind), done: make(chan struct{})}
	o.ctx, o.end = context.WithCancel(context.Background())
	go func() {
		defer close(o.done)
		for records := range o.queue {
			ctx, cancel := context.WithTimeout(o.ctx, timeout)
			_ = o.tell(ctx, records) // what an observer answers changes nothing
			cancel()
		}
	}()
	return o
}

func (o *observer) offer(records []audit.Record) {
	if len(records) == 0 {
		return
	}
	select {
	case o.queue <- records:
	default: // too far behind: it reads Log.Records for what it misses
	}
}

func (o *observer) stop(patience time.Duration) {
	close(o.queue)
	t := time.AfterFunc(patience, o.end)
	defer t.Stop()
	<-o.done
	o.end()
	o.rest(patience)
}
