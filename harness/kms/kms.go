// SPDX-License-Identifier: Apache-2.0

// Package kms breaks the holder of the root key in every way it can think of, while a vault opens, rotates its keys, is given
// another root, or follows another vault that has rotated. Each call is answered in time and with the fact that fits; a
// failure changes no byte but for its own record and burns no use; nothing stays behind; and when the service is well
// again everything works.
package kms

import (
	"cmp"
	"context"
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
	grace    = 5 * time.Second        // behind it a call counts as one that hangs; the overshoot itself is a figure
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
	after := settle(before, 5*time.Second)
	r.Figure("cases", cases)
	r.Figure("calls", w.calls)
	r.Figure("refused", w.refused)
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
					err := w.one(ctx, r, at, o.run, &service{keys: k}, level.root, &faults[f])
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
	return n, cmp.Or(broken, ctx.Err())
}

// levels is how keyward knows the service.
var levels = []struct {
	name string
	root func(*service) vault.RootKey
}{
	{"a root that", (*service).own},
	{"a wrapper that", (*service).wrapped},
}

func (w *watch) one(ctx context.Context, r *kit.Run, dir string, op func(*bed) error, s *service, level func(*service) vault.RootKey, f *fault) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	b := &bed{watch: w, ctx: ctx, service: s, fault: f, level: level, root: level(s), well: (&service{keys: s.keys}).own()}
	if r.Bug {
		b.root = masked{b.root}
	}
	if err := b.make(r.Store, dir); err != nil {
		return fmt.Errorf("make: %w", err)
	}
	err = op(b)
	b.service.heal()
	if err == nil {
		err = b.afterwards()
	}
	if closing := b.close(); err == nil && closing != nil {
		err = kit.Violationf("close: %v", closing)
	}
	return err
}

// watch is the figures of a run.
type watch struct {
	mu             sync.Mutex
	calls, refused int
	worst          time.Duration
}

// timed makes a call with a deadline.
func (w *watch) timed(ctx context.Context, call func(context.Context) error) (error, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, patience)
	err := call(ctx)
	over := time.Since(start) - patience
	cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	if err != nil {
		w.refused++
	}
	w.worst = max(w.worst, over)
	if over > grace {
		return err, kit.Violationf("answered %v behind its deadline", over)
	}
	return err, nil
}

// settle waits until no more goroutines run than at the start.
func settle(start int, patience time.Duration) (now int) {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if now = runtime.NumGoroutine(); now <= start || time.Now().After(end) {
			return now
		}
	}
}
