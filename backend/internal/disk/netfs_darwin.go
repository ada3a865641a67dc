// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"fmt"
	"syscall"
)

// checkFileSystem refuses path unless its file system is local.
func checkFileSystem(path string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return fmt.Errorf("statfs %s: %w", path, err)
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
	return refuse(path, string(name), remoteFS)
}
