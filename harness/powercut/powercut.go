// SPDX-License-Identifier: Apache-2.0

// Package powercut shows what a power cut would leave, without cutting power.
//
// A child works on a vault under strace, which writes down everything that it asked of the disk: data, syncs, names. From
// that the parent builds images of the disk as they may look after a cut at any moment. What was synced by then is there:
// a file's content after fsync or fdatasync of the file, a name after fsync of its folder. Of the rest, none, all, a
// random part, or writes torn into sectors of 512 bytes. Each image is opened as a vault and held against what the child
// had acknowledged by then; the acknowledgements are writes to a pipe in the same trace. A history is several children on
// one vault: the first makes it.
//
// This is harsher than any one file system: names may be lost and kept in any order, and so may writes.
package powercut

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/harness/internal/strace"
)

// Harness is the replay.
var Harness = kit.Harness{
	Name:    "powercut",
	About:   "disk images as a power cut may leave them: nothing acknowledged is lost, the log verifies",
	Bug:     "once the vault is open, no sync reaches the disk",
	BugSays: regexp.MustCompile(`acknowledged and lost|a value left without a record`),
	Stores:  []string{"sqlite", "file"},
	Short:   1000, Long: 20000, Unit: "images", InRAM: true,
	Run: run, Child: child,
}

const (
	generations = 3 // children of one history
	workers     = 2
)

// job is what a child is told.
type job struct{ History, Generation int }

// big reports whether its values are large, and so its images slow.
func (j job) big() bool { return j.History%4 == 1 }

// images is how many are made of one child's trace.
func (j job) images() int {
	if j.big() {
		return 20
	}
	return 100
}

func run(ctx context.Context, r *kit.Run) (err error) {
	c := &counts{}
	for history := 0; c.images.Load() < int64(r.Rounds) && err == nil; history++ {
		err = replay(ctx, r, c, history)
	}
	r.Count("images", c.images.Load())
	r.Count("traces", c.traces.Load())
	r.Count("acknowledgements checked", c.acks.Load())
	r.Figure("before the first of them", c.early.Load())
	return err
}

type counts struct{ images, traces, acks, early atomic.Int64 }

// replay runs one history, and cuts the power in each of its generations.
func replay(ctx context.Context, r *kit.Run, c *counts, history int) error {
	dir := filepath.Join(r.Dir, fmt.Sprint("history-", history))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	dir, err := filepath.EvalSymlinks(dir) // as strace shows it
	if err != nil {
		return err
	}
	var before []kit.Ack
	for generation := range generations {
		j := job{history, generation}
		n := min(j.images(), r.Rounds-int(c.images.Load()))
		if n == 0 {
			break
		}
		start, err := snapshot(dir)
		if err != nil {
			return err
		}
		calls, acks, err := record(ctx, r, dir, j)
		if err != nil {
			return err
		}
		c.traces.Add(1)
		tape, err := newTape(dir, start, calls)
		if err != nil {
			return fmt.Errorf("history %d, generation %d: %w", history, generation, err)
		}
		if err := cutAll(ctx, r, c, tape, before, n); err != nil {
			return fmt.Errorf("history %d, generation %d: %w", history, generation, err)
		}
		before = append(before, acks...)
	}
	return nil
}

// record runs a child and returns its trace.
func record(ctx context.Context, r *kit.Run, dir string, j job) ([]strace.Call, []kit.Ack, error) {
	o := strace.Options{Output: dir + ".trace", Calls: traced, Data: true}
	defer os.Remove(o.Output)
	prefix, err := strace.Command(o)
	if err != nil {
		return nil, nil, err
	}
	p, err := r.Start(ctx, dir, j, nil, prefix...)
	if err != nil {
		return nil, nil, err
	}
	acks, _, err := p.Wait()
	if err = cmp.Or(err, p.Ended()); err != nil {
		return nil, nil, err
	}
	calls, err := strace.Read(o.Output)
	return calls, acks, err
}

// cutAll cuts n times.
func cutAll(ctx context.Context, r *kit.Run, c *counts, t *tape, before []kit.Ack, n int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cuts := make(chan cut)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for cut := range cuts {
				if ctx.Err() != nil {
					continue
				}
				if err := check(ctx, r, c, t, before, cut); err != nil {
					cancel(fmt.Errorf("%s: %w", cut, err))
				}
				r.Progress(int(c.images.Add(1)))
			}
		})
	}
	for range n {
		cuts <- t.choose(r.Rand, r.Bug)
	}
	close(cuts)
	wg.Wait()
	return context.Cause(ctx)
}
