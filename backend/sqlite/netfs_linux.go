// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"fmt"
	"syscall"
)

const (
	remoteShm = "SQLite's shared memory and locks do not reach other machines"
	unknownFS = "its locks, its sync and where the bytes go cannot be known"
)

// remote lists file systems by the magic number of statfs(2). On those of other machines WAL corrupts the database as
// soon as two of them open it, and locks may be answered without being taken. FUSE is any program at all: sshfs, a
// cloud bucket.
var remote = map[uint32]struct{ name, why string }{
	0x00006969: {"NFS", remoteShm},
	0x0000517b: {"SMB", remoteShm},
	0xfe534d42: {"SMB2", remoteShm},
	0xff534d42: {"CIFS", remoteShm},
	0x00c36400: {"Ceph", remoteShm},
	0x0bd00bd0: {"Lustre", remoteShm},
	0x47504653: {"GPFS", remoteShm},
	0x01161970: {"GFS2", remoteShm},
	0x7461636f: {"OCFS2", remoteShm},
	0x5346414f: {"AFS", remoteShm},
	0x6b414653: {"AFS", remoteShm},
	0x73757245: {"Coda", remoteShm},
	0x0000564c: {"NCP", remoteShm},
	0x01021997: {"9P (a folder of the host)", remoteShm},
	0x786f4256: {"a VirtualBox shared folder", remoteShm},
	0x65735546: {"FUSE", unknownFS},
}

// checkFileSystem refuses dir on a file system where several processes cannot share a SQLite database.
func checkFileSystem(dir string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return fmt.Errorf("statfs %s: %w", dir, err)
	}
	return checkMagic(dir, uint32(st.Type))
}

func checkMagic(dir string, magic uint32) error {
	if r, ok := remote[magic]; ok {
		return refuseFileSystem(dir, r.name, r.why)
	}
	return nil
}
