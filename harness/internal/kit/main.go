// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
)

type flags struct {
	long, bug, check bool
	store            string
	rounds           int
	seed             uint64
	names            []string
}

// Main is the command. In a child process of Run.Start it is that child. It returns the exit code.
func Main(ctx context.Context, all []Harness, args []string) int {
	if task := os.Getenv(childEnv); task != "" {
		return childMain(ctx, all, task)
	}
	f, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	if !f.check && len(f.names) == 0 {
		list(os.Stdout, all)
		return 0
	}
	chosen, err := choose(all, f)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	bugs := []bool{f.bug}
	if f.check {
		bugs = []bool{false, true}
	}
	code := 0
	for _, h := range chosen {
		for _, bug := range bugs {
			if !f.runs(ctx, h, bug) {
				code = 1
			}
		}
	}
	return code
}

// runs runs a harness on each store that is asked for, and reports whether all verdicts are good.
func (f flags) runs(ctx context.Context, h Harness, bug bool) bool {
	good := true
	for _, name := range h.Stores {
		if f.store != "" && f.store != name || ctx.Err() != nil {
			continue
		}
		r := &Run{Harness: h, Store: stores[name], Rounds: h.Short, Long: f.long, Bug: bug}
		if f.long {
			r.Rounds = h.Long
		}
		if f.rounds > 0 {
			r.Rounds = f.rounds
		}
		if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			r.show = os.Stderr
		}
		seed := f.seed
		if seed == 0 {
			seed = uint64(rand.Uint32())
		}
		good = r.run(ctx, os.Stdout, seed) && good
	}
	return good && ctx.Err() == nil
}

// parse reads flags in front of names and behind them.
func parse(args []string) (f flags, err error) {
	set := flag.NewFlagSet("harness", flag.ContinueOnError)
	set.BoolVar(&f.long, "long", false, "the long form")
	set.BoolVar(&f.bug, "bug", false, "with the seeded bug, which must be found")
	set.BoolVar(&f.check, "check", false, "short forms, then seeded bugs; of all harnesses if none is named")
	set.StringVar(&f.store, "store", "", "on this store only")
	set.IntVar(&f.rounds, "rounds", 0, "this many rounds")
	set.Uint64Var(&f.seed, "seed", 0, "of what is chosen at random; any if 0")
	for {
		if err := set.Parse(args); err != nil || set.NArg() == 0 {
			return f, err
		}
		f.names, args = append(f.names, set.Arg(0)), set.Args()[1:]
	}
}

func choose(all []Harness, f flags) (chosen []Harness, err error) {
	if _, known := stores[f.store]; !known && f.store != "" {
		return nil, fmt.Errorf("there is no store %q", f.store)
	}
	if len(f.names) == 0 || slices.Contains(f.names, "all") {
		return all, nil
	}
	for _, name := range f.names {
		i := slices.IndexFunc(all, func(h Harness) bool { return h.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no harness %q; go run ./harness lists them", name)
		}
		if f.store != "" && !slices.Contains(all[i].Stores, f.store) {
			return nil, fmt.Errorf("%s does not run on %s", name, f.store)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func list(w io.Writer, all []Harness) {
	fmt.Fprintln(w, "usage: go run ./harness [-long] [-bug] [-check] [-store NAME] [-rounds N] [-seed N] NAME… | all")
	for _, h := range all {
		fmt.Fprintf(w, "  %-9s %s (%d %s, long %d)\n", h.Name, h.About, h.Short, h.Unit, h.Long)
	}
}
