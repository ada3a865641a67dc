// SPDX-License-Identifier: Apache-2.0

package main

import "golang.org/x/sys/unix"

// conceal keeps this process from the other ones of its user, and from core files: neither its memory nor the environment that
// it was started with, in which a bearer may be, can be read through /proc or ptrace, by a program of run neither. Root still
// can. A program that is started is not concerned.
func conceal() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) } // a kernel that cannot leaves it as it was
