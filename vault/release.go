// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/keyward-go/keyward/audit"
)

// Auditor is told of each batch of records that this process has committed, in order. It must not keep the slice. A panic
// is an error. One that needs the records of other processes too, or those it has missed, reads Log.Records.
type Auditor interface {
	Audit(ctx context.Context, records []audit.Record) error
}

// releaser hands each committed batch to all auditors at once, and releases it if all accept. The committer runs at most
// one batch ahead.
type releaser struct {
	auditors  []*watched
	observers []*watched
	timeout   time.Duration
	batches   chan released
	done      chan struct{}
}

type released struct {
	calls   []*call
	outcome []error
	records []audit.Record
}

// watched is an auditor that is asked about one batch at a time, so that one which hangs holds one goroutine.
type watched struct {
	Auditor
	idle chan struct{}
}

func newReleaser(cfg Config) *releaser {
	r := &releaser{timeout: cfg.AuditTimeout, batches: make(chan released), done: make(chan struct{})}
	if r.timeout == 0 {
		r.timeout = 5 * time.Second
	}
	watch := func(auditors []Auditor) (out []*watched) {
		for _, a := range auditors {
			w := &watched{a, make(chan struct{}, 1)}
			w.idle <- struct{}{}
			out = append(out, w)
		}
		return out
	}
	r.auditors, r.observers = watch(cfg.Auditors), watch(cfg.Observers)
	go r.run()
	return r
}

// deliver answers the callers of a committed batch.
func (v *Vault) deliver(b *batch) {
	if v.releaser == nil {
		for i, c := range b.calls {
			c.done <- b.outcome[i]
		}
		return
	}
	v.releaser.batches <- released{append([]*call(nil), b.calls...), append([]error(nil), b.outcome...), b.records()}
}

func (r *releaser) run() {
	defer close(r.done)
	for b := range r.batches {
		var err error
		if len(b.records) > 0 {
			err = r.tell(r.auditors, b.records)
		}
		for i, c := range b.calls {
			if err != nil && b.outcome[i] != errAgain {
				b.outcome[i] = fmt.Errorf("%w: %w", ErrNotRecorded, err)
			}
			c.done <- b.outcome[i]
		}
		if len(b.records) > 0 {
			_ = r.tell(r.observers, b.records) // what observers answer changes nothing
		}
	}
}

func (r *releaser) stop() {
	close(r.batches)
	<-r.done
}

// tell waits until all have answered or the time is over.
func (r *releaser) tell(auditors []*watched, records []audit.Record) error {
	if len(auditors) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	answers := make(chan error, len(auditors))
	for _, a := range auditors {
		go func() { answers <- a.tell(ctx, records) }()
	}
	var first error
	for range auditors {
		select {
		case err := <-answers:
			if err != nil && first == nil {
				first = fmt.Errorf("auditor: %w", err)
			}
		case <-ctx.Done():
			return fmt.Errorf("auditor: no answer in %s: %w", r.timeout, ctx.Err())
		}
	}
	return first
}

func (a *watched) tell(ctx context.Context, records []audit.Record) error {
	select {
	case <-a.idle:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { a.idle <- struct{}{} }()
	own := make([]audit.Record, len(records))
	copy(own, records)
	return contain(func() error { return a.Audit(ctx, own) })
}
