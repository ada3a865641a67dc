// SPDX-License-Identifier: Apache-2.0

// Package clock sets the wall clock of a vault forward, back and to nonsense, before, during and between calls and lives,
// and holds each answer against an oracle: the time that counts is the latest of the wall clock and the last record, over
// 2 minutes behind that record nothing is granted, and whatever was dead once stays dead.
package clock

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/keyward-go/keyward/harness/internal/kit"
)

// Harness is the clock.
var Harness = kit.Harness{
	Name:    "clock",
	About:   "clock jumps: dead tokens stay dead, time never goes back in the log but by ResetClock",
	Bug:     "an issuer renews tokens as it reads them",
	BugSays: regexp.MustCompile(`answers <nil>, want token is not valid`),
	Stores:  []string{"memory", "sqlite", "file"},
	Short:   len(jumps) * len(plays), Long: len(jumps) * len(plays), Unit: "cases", InRAM: true,
	Run: run,
}

// noon is the right time at which each case begins.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

var edge2262 = time.Unix(0, math.MaxInt64).UTC() // the last instant that a nanosecond count can hold

// jumps is where the clock goes.
var jumps = []struct {
	name string
	to   time.Time
}{
	{"stops", noon},
	{"a second on", noon.Add(time.Second)},
	{"a second back", noon.Add(-time.Second)},
	{"2 minutes back", noon.Add(-2 * time.Minute)},
	{"2 minutes and a bit back", noon.Add(-2*time.Minute - 1)},
	{"the end of the short token", noon.Add(time.Minute)},
	{"an instant before that", noon.Add(time.Minute - 1)},
	{"an hour on", noon.Add(time.Hour)},
	{"an hour back", noon.Add(-time.Hour)},
	{"ten years on", noon.AddDate(10, 0, 0)},
	{"ten years back", noon.AddDate(-10, 0, 0)},
	{"before 2262", edge2262.Add(-1)},
	{"the edge of 2262", edge2262},
	{"behind 2262", edge2262.Add(1)},
	{"the end of 9999", time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)},
	{"the year 10000", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	{"1970", time.Unix(0, 0).UTC()},
	{"before 1970", time.Unix(-1, 0).UTC()},
	{"zero", time.Time{}},
	{"the last time there is", time.Unix(1<<62, 0)},
}

// plays is what happens around a jump.
var plays = []struct {
	name string
	run  func(*bed, time.Time) error
}{
	{"there and back", func(b *bed, to time.Time) error {
		return b.steps(b.probe, b.at(to), b.probe, b.at(noon), b.probe, b.reopen, b.probe)
	}},
	{"across a restart", func(b *bed, to time.Time) error {
		return b.steps(b.at(to), b.reopen, b.probe, b.at(noon), b.reopen, b.probe)
	}},
	{"only while it is opened", func(b *bed, to time.Time) error {
		return b.steps(b.at(to), b.reopen, b.at(noon), b.probe, b.reopen, b.probe)
	}},
	{"back, then there", func(b *bed, to time.Time) error {
		return b.steps(b.at(noon.Add(-time.Hour)), b.probe, b.at(to), b.probe, b.reopen, b.probe, b.at(noon.Add(2*time.Hour)), b.probe)
	}},
	{"at every second look", func(b *bed, to time.Time) error {
		return b.steps(b.flicker(to), b.probeAny, b.probeAny, b.at(noon), b.probeAny, b.reopen, b.probeAny)
	}},
	{"reset", func(b *bed, to time.Time) error {
		return b.steps(b.at(to), b.probe, b.at(noon), b.reset, b.probe, b.reopen, b.probe, b.at(to), b.probe, b.at(noon), b.reset, b.probe)
	}},
	{"reset while it is wrong", func(b *bed, to time.Time) error {
		return b.steps(b.at(to), b.reset, b.probe, b.at(noon), b.reset, b.reopen, b.probe)
	}},
}

func run(ctx context.Context, r *kit.Run) error {
	n, attempts := 0, 0
	for _, play := range plays {
		for _, jump := range jumps {
			dir := filepath.Join(r.Dir, fmt.Sprint("case-", n))
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			tried, err := one(ctx, r, dir, play.run, jump.to)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", jump.name, play.name, err)
			}
			n, attempts = n+1, attempts+tried
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			r.Progress(n)
		}
	}
	for _, jump := range jumps {
		if err := made(ctx, r, jump.to); err != nil {
			return fmt.Errorf("made at %s: %w", jump.name, err)
		}
	}
	r.Count("cases", int64(n))
	r.Figure("vaults made", len(jumps))
	r.Count("tokens presented when dead", int64(attempts))
	return nil
}

func one(ctx context.Context, r *kit.Run, dir string, play func(*bed, time.Time) error, to time.Time) (attempts int, err error) {
	b, err := newBed(ctx, r, dir)
	if err != nil {
		return 0, err
	}
	err = play(b, to)
	if err == nil {
		err = b.checkLog()
	}
	if closing := b.close(); err == nil {
		err = closing
	}
	return b.attempts, err
}
