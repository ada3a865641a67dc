// SPDX-License-Identifier: Apache-2.0

// Package disk fills a vault's disk, and makes it read-only, in a small file system of its own.
//
// The child runs in a new user and mount namespace, where an ordinary user may mount a tmpfs. There it leaves a few pages
// free, works until the disk is full, and goes on when there is room again, without opening the vault anew: for each
// number of pages, so that the end comes at each place of a commit. Then the same while a vault is made and opened, and
// with the file system read-only.
package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/keyward-go/keyward/harness/internal/kit"
)

// Harness is the full disk.
var Harness = kit.Harness{
	Name:    "disk",
	About:   "full and read-only: typed errors, no value, no half record, and on without a restart when there is room",
	Bug:     "the store takes a full disk for success",
	BugSays: regexp.MustCompile(`acknowledged and lost|a value left without a record`),
	Stores:  []string{"sqlite", "file"},
	Short:   20, Long: 400, Unit: "times full",
	Run: run, Child: child,
}

// What the child acknowledges to its parent here.
const (
	opViolation = "violation"
	opFull      = "full" // once more
)

// each is how often one file system is full: its vault grows.
const each = 20

func run(ctx context.Context, r *kit.Run) error {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return errors.New("unshare is not in PATH: apt-get install util-linux")
	}
	full := 0
	for done := 0; done < r.Rounds && err == nil; done += each {
		var n int
		n, err = one(ctx, r, unshare, filepath.Join(r.Dir, fmt.Sprint(done)), min(each, r.Rounds-done))
		full += n
		r.Progress(done)
	}
	r.Figure("times full", full)
	return err
}

func one(ctx context.Context, r *kit.Run, unshare, dir string, times int) (full int, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	p, err := r.Start(ctx, dir, times, nil, unshare, "--user", "--map-root-user", "--mount", "--")
	if err != nil {
		return 0, err
	}
	acks, code, err := p.Wait()
	if err != nil {
		return 0, err
	}
	for _, a := range acks {
		switch a.Op {
		case opViolation:
			return full, kit.Violationf("%s", a.Text)
		case opFull:
			full++
		}
	}
	switch {
	case code != 0 && len(acks) == 0:
		return full, fmt.Errorf("user and mount namespaces are needed, and are not to be had here (%s): run outside of a container that forbids them, or allow them "+
			"(sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)", p.Stderr())
	case code != 0:
		return full, fmt.Errorf("the child ended with code %d: %s", code, p.Stderr())
	}
	return full, nil
}
