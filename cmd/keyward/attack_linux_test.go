// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestConceal: no process of the same user, a program of run for one, reads the token out of /proc, and no core file has it.
func TestConceal(t *testing.T) {
	before, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(before), 0, 0, 0) }()
	conceal()
	if now, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); now != 0 || err != nil {
		t.Errorf("dumpable is %d, %v", now, err)
	}
	if _, err := os.ReadFile("/proc/self/environ"); err == nil && os.Geteuid() != 0 {
		t.Error("/proc/self/environ can be read")
	}
}
