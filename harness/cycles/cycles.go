// SPDX-License-Identifier: Apache-2.0

// Package cycles opens, uses and closes a vault many times in one process and looks for what stays behind: goroutines,
// descriptors, files. In each cycle callers are at work when Close is called.
package cycles

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

// Harness is the cycles.
var Harness = kit.Harness{
	Name:    "cycles",
	About:   "open, use and close: no goroutine, descriptor or file stays",
	Bug:     "closing the store leaves a goroutine, a descriptor, or a file behind",
	BugSays: regexp.MustCompile(`more goroutines(.|\n)*more descriptors(.|\n)*more files`),
	Stores:  []string{"memory", "sqlite", "file"},
	Short:   100, Long: 1000, Unit: "cycles", InRAM: true,
	Run: run,
}

func run(ctx context.Context, r *kit.Run) error {
	temp := filepath.Join(r.Dir, "temp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		return err
	}
	if err := os.Setenv("TMPDIR", temp); err != nil {
		return err
	}
	defer os.Unsetenv("TMPDIR")
	if !r.Bug {
		return repeat(ctx, r, filepath.Join(r.Dir, "vault"), nil)
	}
	var found error
	for _, leak := range leaks { // each must be found, as what it is
		err := repeat(ctx, r, filepath.Join(r.Dir, leak), func(s vault.Store) vault.Store { return kit.Over(s, leaky{s, leak, r.Dir}) })
		if err == nil || !strings.Contains(err.Error(), "more "+leak) {
			return err
		}
		found = errors.Join(found, err)
	}
	return found
}

const warmUp = 3 // cycles after which what is made once is there

func repeat(ctx context.Context, r *kit.Run, dir string, wrap func(vault.Store) vault.Store) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	patience := time.Minute // for a busy machine
	if r.Bug {
		patience = time.Second
	}
	var start rest
	for n := range r.Rounds + warmUp {
		if err := cycle(ctx, r, dir, wrap); err != nil {
			return kit.Violationf("cycle %d: %v", n, err)
		}
		if n == warmUp-1 {
			var err error
			if start, err = settle(ctx, r.Dir, rest{}, time.Second/5); err != nil {
				return err
			}
		} else if n >= warmUp {
			now, err := settle(ctx, r.Dir, start, patience)
			if err != nil {
				return err
			}
			if err := now.more(start); err != nil {
				return fmt.Errorf("cycle %d: %w", n, err)
			}
		}
		r.Progress(n)
	}
	r.Count("cycles", int64(r.Rounds))
	r.Figure("at the start and at the end", start)
	return nil
}
