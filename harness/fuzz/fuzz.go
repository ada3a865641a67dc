// SPDX-License-Identifier: Apache-2.0

// Package fuzz runs every fuzz target of the repository, one after the other.
//
// Each first gets its share of the executions, at most as many as tell its speed. What is left is shared out by that, so
// that each target gets the same time. The short form begins with the seeds, the long one with all that former runs of go
// test -fuzz on this machine have found, and adds to that. An input that fails is left where go test keeps it, in testdata
// of its package.
package fuzz

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/keyward-go/keyward/harness/internal/kit"
)

// Harness is the fuzzing.
var Harness = kit.Harness{
	Name:    "fuzz",
	About:   "every fuzz target of the repository, by the number of executions",
	Bug:     "a target of its own whose parser is off by one",
	BugSays: regexp.MustCompile(`seeded\.FuzzSeeded.*(bytes were left over|out of range)`),
	Stores:  []string{"memory"}, // the targets open what they need
	Short:   34_000, Long: 100_000_000, Unit: "executions", InRAM: true,
	Run: run,
}

const (
	probe   = 20_000 // executions that tell the speed of a target
	bugTag  = "seededbug"
	bugName = "FuzzSeeded"
)

func run(ctx context.Context, r *kit.Run) error {
	goTool, err := exec.LookPath("go")
	if err != nil {
		return errors.New("go is not in PATH")
	}
	targets, err := list(ctx, goTool, r.Bug)
	if err != nil {
		return err
	}
	start := time.Now()
	cache := filepath.Join(r.Dir, "corpus")
	if r.Long && !r.Bug {
		text, err := output(ctx, goTool, "env", "GOCACHE")
		if err != nil {
			return err
		}
		cache = filepath.Join(strings.TrimSpace(text), "fuzz")
	}
	b := &bench{run: r, goTool: goTool, cache: cache}
	if err := b.build(ctx, targets); err != nil {
		return err
	}
	r.Figure("targets", len(targets))
	r.Figure("built in", time.Since(start).Round(time.Second/10))
	defer func() { // also of a run that ends early
		r.Count("executions", int64(b.done))
		for _, t := range targets {
			r.Figure(t.String(), fmt.Sprintf("%d (%.0f/s, %d new inputs)", t.execs, t.speed(), t.found))
		}
	}()
	share := min(probe, r.Rounds/len(targets))
	if r.Bug {
		share = r.Rounds
	}
	for _, t := range targets {
		if err := b.fuzz(ctx, t, share); err != nil {
			return err
		}
	}
	rest, speed := r.Rounds-b.done, 0.0
	for _, t := range targets {
		speed += t.speed()
	}
	for _, t := range targets {
		if n := int(float64(rest) * t.speed() / speed); n > probe/10 {
			if err := b.fuzz(ctx, t, n); err != nil {
				return err
			}
		}
	}
	return nil
}
