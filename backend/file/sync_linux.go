// SPDX-License-Identifier: Apache-2.0

package file

import (
	"os"
	"syscall"
)

// syncData makes the content and the length of f durable. The times of the file are not worth a write of their own.
func syncData(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for failed = syscall.EINTR; failed == syscall.EINTR; {
			failed = syscall.Fdatasync(int(fd))
		}
	})
	if err == nil {
		err = failed
	}
	return err
}
