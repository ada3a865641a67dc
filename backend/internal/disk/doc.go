// SPDX-License-Identifier: Apache-2.0

// Package disk is what the stores and the key file do to files: checks, creation, locks, and the head file.
//
// It refuses, with an error that names the file and says the fix, what another user could read, change, replace or have put
// there: a symbolic link, a file of another owner or with any permission for others, a folder that everyone can write to, a
// network file system or FUSE. It never repairs, with one exception: the second name that a crash between the two steps of
// Create has left is removed.
//
// # Head file, format 1
//
// A head file has two slots of 512 bytes. Integers are big-endian.
//
//	0    8    counter: 1 in the first slot that is written, then one more each time
//	8    2    length of the mark, 0 to 440
//	10   470  the mark, then zeros
//	480  32   SHA-256 over the 480 bytes before it
//
// A new file has counter 1 and no mark in slot 0, and zeros in slot 1. Every write goes into the slot that does not have the
// higher counter, so one that a crash tears leaves the mark before it. A slot whose hash, length or zeros are wrong, or
// whose counter is 0 or 2⁶⁴-1, is no slot. A file of another size, without a slot, or with the same counter twice, is
// vault.ErrTampered, and so is one whose newest slot has 2⁶⁴-2, behind which no mark could come. The hash finds accidents;
// whether a mark is true is for the vault to see, which puts a MAC into it.
//
// # Systems
//
// It works on Linux and macOS; on other Unix systems there are no locks, and elsewhere nothing: errors.ErrUnsupported. Paths
// may be relative; a caller that keeps one makes it absolute.
package disk
