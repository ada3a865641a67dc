// SPDX-License-Identifier: Apache-2.0

// Package flips changes one bit, or cuts at one byte, of whatever keyward writes, then opens it and asks it everything: each
// answer is the right one, or a refusal of a kind that callers can test for. Anything else was accepted silently.
//
// The files of sqlite and file are changed as files: the database, its log after an unclean end, the journal, the head
// file. On memory it is what has the same bytes on every store: the row of the keyring, exports, archives, backups, the
// key file. Some bytes say nothing, such as the free pages of SQLite or the older half of a head file: there the right
// answer is right. A cut of journal or log together with a head file of before is what a crash leaves: there the right
// answer is that of before.
package flips

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/keyward-go/keyward/harness/internal/kit"
)

// Harness is the flips.
var Harness = kit.Harness{
	Name:    "flips",
	About:   "each bit flipped, a cut at each byte: the right answer or a refusal",
	Bug:     "the head file is not asked (sqlite, file), exports are counted and not hashed (memory)",
	BugSays: regexp.MustCompile(`silently accepted`),
	Stores:  []string{"memory", "sqlite", "file"},
	Short:   1500, Long: 700_000, Unit: "changes", InRAM: true,
	Run: run,
}

// target is something that is changed.
type target struct {
	name  string
	tries int // how many changes there are
	// try makes one of them in an empty folder. refused is why nothing, or not all, was answered; err is a Violation.
	try func(ctx context.Context, dir string, i int) (refused, err error)

	mu      sync.Mutex
	tried   int
	refused map[string]int // by sentinel
}

func run(ctx context.Context, r *kit.Run) error {
	made := filepath.Join(r.Dir, "made")
	if err := os.Mkdir(made, 0o700); err != nil {
		return err
	}
	find := inFiles
	if r.Store.Name == "memory" {
		find = inMemory
	}
	targets, err := find(ctx, r, made)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if t.tries == 0 {
			return fmt.Errorf("there is nothing of %q to change", t.name)
		}
	}
	err = work(ctx, r, targets)
	total := 0
	for _, t := range targets {
		r.Figure(t.name, t)
		total += t.tried
	}
	r.Count("in all", int64(total))
	return err
}

type job struct {
	target *target
	i      int
}

// work makes as many changes as there are rounds, or all that there are, with one worker a core. It stops at the first Violation.
func work(ctx context.Context, r *kit.Run, targets []*target) (broken error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	jobs := hand(ctx, r.Rounds, targets, r.Rand)
	var group sync.WaitGroup
	var mu sync.Mutex
	var done atomic.Int64
	for n := range runtime.NumCPU() {
		dir := filepath.Join(r.Dir, fmt.Sprint("worker-", n))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		group.Go(func() {
			for j := range jobs {
				refused, err := j.target.try(ctx, dir, j.i)
				if ctx.Err() != nil {
					return
				}
				j.target.add(refused)
				if err != nil {
					mu.Lock()
					broken = fmt.Errorf("%s, change %d: %w", j.target.name, j.i, err)
					mu.Unlock()
					stop()
					return
				}
				r.Progress(int(done.Add(1)))
			}
		})
	}
	group.Wait()
	if broken == nil {
		broken = ctx.Err()
	}
	return broken
}

// hand hands out the changes: of the smaller targets all, the rest spread evenly over the larger ones.
func hand(ctx context.Context, rounds int, targets []*target, rng *rand.Rand) <-chan job {
	jobs := make(chan job)
	go func() {
		defer close(jobs)
		left := rounds
		for n, t := range slices.SortedFunc(slices.Values(targets), func(a, b *target) int { return a.tries - b.tries }) {
			share := min(t.tries, left/(len(targets)-n))
			left -= share
			for k := range share {
				from, to := k*t.tries/share, (k+1)*t.tries/share
				select {
				case jobs <- job{t, from + rng.IntN(to-from)}:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return jobs
}

func (t *target) add(refused error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tried++
	if refused != nil {
		if t.refused == nil {
			t.refused = map[string]int{}
		}
		t.refused[sentinel(refused)]++
	}
}

// String says what came of the tries.
func (t *target) String() string {
	right := t.tried
	var kinds []string
	for _, name := range slices.Sorted(maps.Keys(t.refused)) {
		right -= t.refused[name]
		kinds = append(kinds, fmt.Sprint(name, " ", t.refused[name]))
	}
	return fmt.Sprintf("%d of %d (%s)", t.tried, t.tries, strings.Join(append(kinds, fmt.Sprint("right ", right)), " "))
}

// changes is how many there are of n bytes: each bit flipped, then a cut at each byte.
func changes(n int) int { return 9 * n }

// changed is a copy with change i.
func changed(b []byte, i int) []byte {
	if i >= 8*len(b) {
		return slices.Clone(b[:i-8*len(b)])
	}
	b = slices.Clone(b)
	b[i/8] ^= 1 << (i % 8)
	return b
}
