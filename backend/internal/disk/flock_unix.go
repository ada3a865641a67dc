// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package disk

import (
	"fmt"
	"syscall"
)

// flock answers false without an error if how is tryLock and the lock is taken. The lock belongs to the open file
// description, so two handles of one process exclude each other too, and the kernel frees it when the process dies.
func flock(fd uintptr, how lockOp) (bool, error) {
	op := [...]int{syscall.LOCK_EX | syscall.LOCK_NB, syscall.LOCK_EX, syscall.LOCK_UN}[how]
	for {
		switch err := syscall.Flock(int(fd), op); err {
		case nil:
			return true, nil
		case syscall.EINTR:
		case syscall.EWOULDBLOCK:
			return false, nil
		default:
			return false, fmt.Errorf("flock: %w", err)
		}
	}
}
