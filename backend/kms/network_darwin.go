// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"errors"
	"os"
	"syscall"
)

var errNetwork = errors.New("it is on a network file system, where its mode does not decide who reads it; keep it on a local disk")

const mntLocal = 0x1000 // MNT_LOCAL of sys/mount.h

func checkLocal(f *os.File) error {
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &st); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if st.Flags&mntLocal == 0 {
		return errNetwork
	}
	return nil
}
