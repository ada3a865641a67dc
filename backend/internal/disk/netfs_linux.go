// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"fmt"
	"syscall"
)

const unknownFS = "its locks, its sync and who else reads it cannot be known"

// remote lists file systems by the magic number of statfs(2). On those of other machines a mode does not decide
// who reads a file, locks may be answered without being taken, and SQLite's WAL corrupts a database as soon as two machines
// open it. FUSE is any program at all: sshfs, a cloud bucket.
var remote = map[uint32]struct{ name, why string }{
	0x00006969: {"NFS", remoteFS},
	0x0000517b: {"SMB", remoteFS},
	0xfe534d42: {"SMB2", remoteFS},
	0xff534d42: {"CIFS", remoteFS},
	0x00c36400: {"Ceph", remoteFS},
	0x0bd00bd0: {"Lustre", remoteFS},
	0x47504653: {"GPFS", remoteFS},
	0x01161970: {"GFS2", remoteFS},
	0x7461636f: {"OCFS2", remoteFS},
	0x5346414f: {"AFS", remoteFS},
	0x6b414653: {"AFS", remoteFS},
	0x73757245: {"Coda", remoteFS},
	0x0000564c: {"NCP", remoteFS},
	0x01021997: {"9P (a folder of the host)", remoteFS},
	0x786f4256: {"a VirtualBox shared folder", remoteFS},
	0x65735546: {"FUSE", unknownFS},
}

// checkFileSystem refuses path on a file system that is not this machine's own.
func checkFileSystem(path string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return fmt.Errorf("statfs %s: %w", path, err)
	}
	return checkMagic(path, uint32(st.Type))
}

func checkMagic(path string, magic uint32) error {
	if r, ok := remote[magic]; ok {
		return refuse(path, r.name, r.why)
	}
	return nil
}
