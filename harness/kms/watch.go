// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/keyward-go/keyward/harness/internal/kit"
)

// watch is the figures of a run.
type watch struct {
	mu                    sync.Mutex
	calls, refused, again int
	worst                 time.Duration
}

// timed makes a call with a deadline.
func (b *bed) timed(call func(context.Context) error) (error, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(b.ctx, b.patience)
	defer cancel()
	err, hangs := answered(b.patience+grace, func() error { return call(ctx) })
	over := time.Since(start) - b.patience
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	if err != nil {
		b.refused++
	}
	b.worst = max(b.worst, over)
	return err, hangs
}

var errHangs = kit.Violationf("a call did not return")

// answered makes a call in a goroutine of its own, so that one that never returns is found.
func answered(limit time.Duration, call func() error) (err, hangs error) {
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err, nil
	case <-time.After(limit):
		return nil, fmt.Errorf("%w in %s", errHangs, limit)
	}
}

// settle waits until no more goroutines run than at the start.
func settle(start int, patience time.Duration) (now int) {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if now = runtime.NumGoroutine(); now <= start || time.Now().After(end) {
			return now
		}
	}
}

// errBusy: the caller's deadline came first though the fault is not one of time. That is the machine's fault, or keyward's.
var errBusy = errors.New("no answer in time, though the service answers at once")

// patiently makes a case again, with four times the patience, as long as the machine is too busy for it.
func (w *watch) patiently(one func(patience time.Duration) error) error {
	for p := patience; ; p *= 4 {
		err := one(p)
		switch {
		case !errors.Is(err, errBusy):
			return err
		case p == longest:
			return kit.Violationf("%v: %s", err, p)
		}
		w.mu.Lock()
		w.again++
		w.mu.Unlock()
	}
}
