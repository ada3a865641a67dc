// SPDX-License-Identifier: Apache-2.0

// Package syscalls breaks one system call of a process after the other, by strace, and holds what is left against what the
// process had acknowledged.
//
// A child makes a small vault, does a dozen things and closes it. A first run counts its system calls. Each case then kills
// the process at one of them, or makes it answer EIO or ENOSPC. strace counts the calls of each thread by itself, and Go
// moves work between threads: so the N of a case names the Nth call of some thread. Cases that hit nothing of the vault
// are not counted, and the sweep begins again until there are enough.
package syscalls

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/harness/internal/strace"
)

// Harness is the sweep.
var Harness = kit.Harness{
	Name:    "syscalls",
	About:   "kill, EIO and ENOSPC at each system call: nothing acknowledged is lost, no grant after a failed sync",
	Bug:     "the store takes an error of the disk for success",
	BugSays: regexp.MustCompile(`acknowledged and lost|a value left without a record|as if it were recorded|the log is not as long as its head|shorter than an earlier checkpoint`),
	Stores:  []string{"sqlite", "file"},
	Short:   200, Long: 3000, Unit: "cases", InRAM: true,
	Run: run, Child: child,
}

// fault is one case.
type fault struct {
	call   string
	action string // "signal=KILL", "error=EIO", "error=ENOSPC"
	n      int
}

func (f fault) String() string { return fmt.Sprintf("%s:%s:when=%d", f.call, f.action, f.n) }

const (
	kill   = "signal=KILL"
	eio    = "error=EIO"
	enospc = "error=ENOSPC"
)

// actions is what each call may suffer.
var actions = map[string][]string{
	"pwrite64":  {kill, eio, enospc},
	"write":     {kill, eio, enospc},
	"ftruncate": {kill, eio, enospc},
	"fsync":     {kill, eio, enospc},
	"fdatasync": {kill, eio, enospc},
	"openat":    {kill, eio, enospc},
	"open":      {kill, eio, enospc},
	"linkat":    {kill, eio, enospc},
	"link":      {kill, eio, enospc},
	"renameat":  {kill, eio, enospc},
	"renameat2": {kill, eio, enospc},
	"rename":    {kill, eio, enospc},
	"unlinkat":  {kill, eio},
	"unlink":    {kill, eio},
	"pread64":   {eio},
}

const workers = 2

func run(ctx context.Context, r *kit.Run) error {
	cases, err := sweep(ctx, r)
	if err != nil {
		return err
	}
	r.Rand.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	hits := map[string]int{}
	next, done := 0, 0
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				mu.Lock()
				if done >= r.Rounds || ctx.Err() != nil || next > 100*r.Rounds {
					mu.Unlock()
					return
				}
				f, name := cases[next%len(cases)], fmt.Sprint("case-", next)
				next++
				mu.Unlock()
				hit, err := try(ctx, r, filepath.Join(r.Dir, name), f)
				mu.Lock()
				if err != nil {
					cancel(fmt.Errorf("%s: %w", f, err))
				} else if hit {
					done++
					hits[f.action]++
					r.Progress(done)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	r.Count("cases", int64(done))
	r.Figure("of", len(cases))
	r.Figure("tried", next)
	for _, a := range []string{kill, eio, enospc} {
		r.Figure(a, hits[a])
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if done < r.Rounds {
		return fmt.Errorf("only %d of %d cases hit something", done, next)
	}
	return nil
}

// sweep lists every case, from a run without faults.
func sweep(ctx context.Context, r *kit.Run) (cases []fault, err error) {
	var names []string
	for name := range actions {
		names = append(names, name)
	}
	l, err := live(ctx, r, filepath.Join(r.Dir, "sweep"), strace.Options{Calls: names})
	if err != nil {
		return nil, err
	}
	if l.code != 0 {
		return nil, fmt.Errorf("the child without a fault: code %d: %s", l.code, l.stderr)
	}
	count := map[[2]string]int{} // by thread and call
	known := map[fault]bool{}
	for _, c := range l.calls {
		at := [2]string{c.Thread, c.Name}
		count[at]++
		if !l.hits(c) {
			continue
		}
		for _, action := range actions[c.Name] {
			if f := (fault{c.Name, action, count[at]}); !known[f] {
				known[f] = true
				cases = append(cases, f)
			}
		}
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("strace saw no system call of the vault")
	}
	return cases, nil
}
