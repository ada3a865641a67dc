// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"
)

// Run is one run of a harness on one store.
type Run struct {
	Harness Harness
	Store   Store
	Rounds  int
	Long    bool
	Bug     bool       // break something on purpose
	Dir     string     // empty at the start, mode 0700, removed at the end
	Rand    *rand.Rand // seeded by -seed; not safe for concurrent use

	mu      sync.Mutex
	figures []string
	nothing []string // of Count, that were zero
	shown   time.Time
	show    io.Writer // for the line of progress; nil if nobody watches
}

// Figure puts a figure into the line of result, behind those before. It is safe for concurrent use, as is Progress.
func (r *Run) Figure(name string, value any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.figures = append(r.figures, fmt.Sprintf("%s %v", name, value))
}

// Count is Figure for how often something happened that must happen: if it is zero the harness has shown nothing.
func (r *Run) Count(name string, n int64) {
	r.Figure(name, n)
	if n == 0 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.nothing = append(r.nothing, name)
	}
}

// Progress says on standard error how many rounds are done, now and then.
func (r *Run) Progress(done int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.show != nil && time.Since(r.shown) > time.Second/5 {
		r.shown = time.Now()
		fmt.Fprintf(r.show, "\r%s %s: %d of %d %s ", r.Harness.Name, r.Store.Name, done, r.Rounds, r.Harness.Unit)
	}
}

// run runs it and prints the line of result. It reports whether the verdict is good.
func (r *Run) run(ctx context.Context, out io.Writer, seed uint64) bool {
	r.Rand = rand.New(rand.NewPCG(seed, 0))
	start := time.Now()
	err := r.inFolder(ctx)
	if ctx.Err() != nil { // what was found may come of that
		err = context.Cause(ctx)
	}
	took := time.Since(start)
	if r.show != nil {
		fmt.Fprint(r.show, "\r\033[K")
	}
	verdict, good := r.verdict(err)
	name := r.Harness.Name
	if r.Bug {
		name += " -bug"
	}
	fmt.Fprintf(out, "%-13s %-7s %6.1fs  %s; seed %d: %s\n", name, r.Store.Name, took.Seconds(), strings.Join(r.figures, ", "), seed, verdict)
	return good
}

func (r *Run) inFolder(ctx context.Context) (err error) {
	name := "keyward-" + r.Harness.Name + "-"
	if r.Harness.InRAM {
		r.Dir, err = os.MkdirTemp("/dev/shm", name)
	}
	if r.Dir == "" {
		r.Dir, err = os.MkdirTemp("", name)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.Dir)) }()
	return r.Harness.Run(ctx, r)
}

func (r *Run) verdict(err error) (text string, good bool) {
	var broken *Violation
	why := ""
	if err != nil {
		why = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	switch found := errors.As(err, &broken); {
	case err != nil && !found:
		return "THE HARNESS FAILED: " + why, false
	case found && r.Bug && !r.Harness.BugSays.MatchString(why):
		return "THE SEEDED BUG WAS NOT FOUND, BUT SOMETHING ELSE: " + why, false
	case found && r.Bug:
		return "the seeded bug was found: " + why, true
	case found:
		return "VIOLATION: " + why, false
	case len(r.nothing) > 0 && !r.Bug:
		return "THE HARNESS FAILED: none of: " + strings.Join(r.nothing, ", "), false
	case r.Bug:
		return "THE SEEDED BUG WAS NOT FOUND: " + r.Harness.Bug, false
	}
	return "ok", true
}
