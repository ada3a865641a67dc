// SPDX-License-Identifier: Apache-2.0

// Package kms breaks the holder of the root key in every way it can think of, while a vault opens, rotates its keys, is given
// another root, or follows another vault that has rotated. Each call is answered in time and with the fact that fits; a
// failure changes no byte but for its own record and burns no use; nothing stays behind; and when the service is well
// again everything works.
package kms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"time"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

// Harness is the key service.
var Harness = kit.Harness{
	Name:    "kms",
	About:   "a key service that hangs, flaps, lies or dies: answered in time, nothing changed, works again",
	Bug:     "the root calls whatever goes wrong a failure of the network",
	BugSays: regexp.MustCompile(`answers .*key service unavailable.*, want one of \[(wrong root key|stored data)`),
	Stores:  []string{"memory", "sqlite", "file"},
	Short:   1, Long: 50, Unit: "passes", InRAM: true,
	Run: run,
}

const (
	patience = 500 * time.Millisecond // of each caller
	longest  = 64 * patience          // of a caller whose machine is too busy for less
	grace    = time.Minute            // behind it a call counts as one that hangs; the overshoot itself is a figure
	abreast  = 8                      // cases at a time: most of them wait
)

func run(ctx context.Context, r *kit.Run) error {
	k, err := newKeys(ctx)
	if err != nil {
		return err
	}
	before := runtime.NumGoroutine()
	w := &watch{}
	cases := 0
	for pass := range r.Rounds {
		n, err := w.pass(ctx, r, k, filepath.Join(r.Dir, fmt.Sprint("pass-", pass)))
		cases += n
		if err != nil {
			return err
		}
		r.Progress(pass)
	}
	after := settle(before, grace)
	r.Count("cases", int64(cases))
	r.Count("calls", int64(w.calls))
	r.Count("refused", int64(w.refused))
	r.Figure("made again with more patience", w.again)
	r.Figure("worst overshoot", w.worst.Round(time.Millisecond))
	r.Figure("goroutines before and after", fmt.Sprint(before, " ", after))
	if after > before {
		return kit.Violationf("%d goroutines at the start, %d at the end", before, after)
	}
	return nil
}

// pass makes every case once.
func (w *watch) pass(ctx context.Context, r *kit.Run, k keys, dir string) (n int, broken error) {
	var group sync.WaitGroup
	var mu sync.Mutex
	failed := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return broken != nil
	}
	free := make(chan struct{}, abreast)
	for f := range faults {
		for _, o := range ops {
			for _, level := range levels {
				at := filepath.Join(dir, fmt.Sprint("case-", n))
				n++
				free <- struct{}{}
				if failed() || ctx.Err() != nil {
					<-free
					continue
				}
				group.Go(func() {
					defer func() { <-free }()
					err := w.patiently(func(patience time.Duration) error {
						b := &bed{watch: w, ctx: ctx, patience: patience, service: &service{keys: k}, fault: &faults[f], level: level}
						return b.one(r, at, o.run)
					})
					if err != nil {
						mu.Lock()
						broken = cmp.Or(broken, fmt.Errorf("%s %s, %s: %w", level.name, faults[f].name, o.name, err))
						mu.Unlock()
					}
				})
			}
		}
	}
	group.Wait()
	return n, cmp.Or(broken, ctx.Err(), os.RemoveAll(dir))
}

// level is how keyward knows the service.
type level struct {
	name    string
	root    func(*service) vault.RootKey
	another error // what it answers if the service opens with another key
}

var levels = []level{
	{"a root that", (*service).own, vault.ErrWrongKey},
	{"a wrapper that", (*service).wrapped, vault.ErrTampered},
}

// one makes a case in a folder of its own.
func (b *bed) one(r *kit.Run, dir string, op func(*bed) error) (err error) {
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return err
	}
	b.root, b.well = b.level.root(b.service), (&service{keys: b.service.keys}).own()
	if r.Bug {
		b.root = masked{b.root}
	}
	if err := b.make(r.Store, dir); err != nil {
		return fmt.Errorf("make: %w", err)
	}
	err = op(b)
	b.service.heal()
	if errors.Is(err, errHangs) {
		return err // what hangs holds what the rest needs
	}
	if err == nil {
		err = b.afterwards()
	}
	closing, hangs := answered(grace, b.close)
	if closing != nil {
		closing = kit.Violationf("close: %v", closing)
	}
	return cmp.Or(err, closing, hangs)
}
