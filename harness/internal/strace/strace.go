// SPDX-License-Identifier: Apache-2.0

// Package strace runs a command under strace(1) and reads what it wrote. No privilege is needed: a process may trace its own
// children.
package strace

import (
	"errors"
	"os/exec"
	"strings"
)

// ErrMissing says what to install.
var ErrMissing = errors.New("strace is not in PATH: apt-get install strace; or, as an ordinary user: apt-get download strace libunwind8, " +
	"unpack both with dpkg -x FILE DIR, and set PATH=DIR/usr/bin and LD_LIBRARY_PATH=DIR/usr/lib/x86_64-linux-gnu")

// Options is what to trace.
type Options struct {
	Output string   // file
	Calls  []string // by name; those that this machine lacks are left out
	Data   bool     // with all that is written
	Inject string   // as behind strace -e inject=; empty: nothing
}

// Command is the prefix of a command line that is to be traced, all its threads.
func Command(o Options) ([]string, error) {
	path, err := exec.LookPath("strace")
	if err != nil {
		return nil, ErrMissing
	}
	// "?" in front of a name: not every machine has every call. Text is hexadecimal throughout, so that no quote, comma
	// or bracket in it can be mistaken.
	args := []string{path, "-f", "-qq", "-y", "-xx", "-o", o.Output, "-e", "trace=?" + strings.Join(o.Calls, ",?")}
	if o.Data {
		args = append(args, "-s", "2097152")
	} else {
		args = append(args, "-s", "512")
	}
	if o.Inject != "" {
		args = append(args, "-e", "inject="+o.Inject)
	}
	if !strings.Contains(o.Inject, "signal=") { // it sends no signals where the kernel filters the calls
		args = append(args, "--seccomp-bpf")
	}
	return args, nil
}
