// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"errors"
	"os"
	"syscall"
)

var errNetwork = errors.New("it is on a network file system, where its mode does not decide who reads it; keep it on a local disk")

// checkLocal refuses the network file systems of statfs(2).
func checkLocal(f *os.File) error {
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &st); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	switch uint32(st.Type) {
	case 0x6969, // NFS
		0x517b, 0xff534d42, 0xfe534d42, // SMB, CIFS, SMB2
		0x00c36400,             // Ceph
		0x5346414f, 0x6b414653, // AFS
		0x73757245: // Coda
		return errNetwork
	}
	return nil
}
