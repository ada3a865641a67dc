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
	"os/exec"

	"github.com/keyward-go/keyward/harness/internal/kit"
)

// Harness is the full disk.
var Harness = kit.Harness{
	Name:   "disk",
	About:  "full and read-only: typed errors, no value, no half record, and on without a restart when there is room",
	Bug:    "the store takes a full disk for success",
	Stores: []string{"sqlite", "file"},
	Short:  20, Long: 400, Unit: "times full",
	Run: run, Child: child,
}

// What the child acknowledges to its parent here.
const (
	opViolation = "violation"
	opFull      = "full" // once more
)

func run(ctx context.Context, r *kit.Run) error {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return errors.New("unshare is not in PATH: apt-get install util-linux")
	}
	p, err := r.Start(ctx, r.Dir, r.Rounds, nil, unshare, "--user", "--map-root-user", "--mount", "--")
	if err != nil {
		return err
	}
	acks, code, err := p.Wait()
	if err != nil {
		return err
	}
	full := 0
	for _, a := range acks {
		switch a.Op {
		case opViolation:
			return kit.Violationf("%s", a.Text)
		case opFull:
			full++
		}
	}
	switch {
	case code != 0 && len(acks) == 0:
		return fmt.Errorf("user and mount namespaces are needed, and are not to be had here (%s): run outside of a container that forbids them, or allow them "+
			"(sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)", p.Stderr())
	case code != 0:
		return fmt.Errorf("the child ended with code %d: %s", code, p.Stderr())
	}
	r.Figure("times full", full)
	return nil
}
