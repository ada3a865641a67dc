// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"fmt"
	"syscall"
)

// checkFileSystem refuses dir unless its file system is local.
func checkFileSystem(dir string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return fmt.Errorf("statfs %s: %w", dir, err)
	}
	if st.Flags&0x00001000 != 0 { // MNT_LOCAL
		return nil
	}
	var name []byte
	for _, c := range st.Fstypename {
		if c == 0 {
			break
		}
		name = append(name, byte(c))
	}
	return refuseFileSystem(dir, string(name), "SQLite's shared memory and locks do not reach other machines")
}
