// SPDX-License-Identifier: Apache-2.0

// Package disk fills a vault's disk, and makes it read-only, in a small file system of its own.
//
// The child runs in a new user and mount namespace, where an ordinary user may mount a tmpfs. There it leaves a few pages
// free, works until the disk is full, and goes on when there is room again, without opening the vault anew: for each
// number of pages, so that the end comes at each place of a commit. Then the same while a vault is made and opened, and
// with the file system read-only.
package disk

import (
	"cmp"
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
	Short:   20, Long: 400, Unit: "rounds",
	Run: run, Child: child,
}

// What the child acknowledges to its parent here: each time that the disk was full, while what was done, and that it was
// read-only.
const (
	opFull     = "full"
	opReadOnly = "read-only"
)

// each is how many rounds a file system lasts: its vault grows.
const each = 20

// pass is what a child is told: the rounds of one file system.
type pass struct{ First, Times int }

func run(ctx context.Context, r *kit.Run) error {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return errors.New("unshare is not in PATH: apt-get install util-linux")
	}
	happened := map[string]int64{}
	for first := 0; first < r.Rounds && err == nil; first += each {
		err = one(ctx, r, unshare, filepath.Join(r.Dir, fmt.Sprint(first)), pass{first, min(each, r.Rounds-first)}, happened)
		r.Progress(first)
	}
	r.Count("full while a vault was made", happened[making])
	r.Count("at work", happened[working])
	r.Count("opened", happened[opening])
	r.Count("read-only", happened[opReadOnly])
	return err
}

func one(ctx context.Context, r *kit.Run, unshare, dir string, j pass, happened map[string]int64) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	p, err := r.Start(ctx, dir, j, nil, unshare, "--user", "--map-root-user", "--mount", "--")
	if err != nil {
		return err
	}
	acks, _, err := p.Wait()
	for _, a := range acks {
		switch a.Op {
		case opFull:
			happened[a.Text]++
		case opReadOnly:
			happened[opReadOnly]++
		}
	}
	err = cmp.Or(err, p.Ended())
	if err != nil && len(acks) == 0 {
		return fmt.Errorf("user and mount namespaces are needed, and are not to be had here (%w): run outside of a container that forbids them, or allow them "+
			"(sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)", err)
	}
	return err
}
