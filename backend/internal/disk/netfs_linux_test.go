// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"strings"
	"testing"
)

func TestFileSystems(t *testing.T) {
	for name, magic := range map[string]uint32{"NFS": 0x6969, "CIFS": 0xff534d42, "SMB2": 0xfe534d42, "FUSE": 0x65735546} {
		if err := checkMagic("/mnt", magic); err == nil || !strings.Contains(err.Error(), "/mnt is on "+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, magic := range map[string]uint32{"ext4": 0xef53, "xfs": 0x58465342, "btrfs": 0x9123683e, "tmpfs": 0x01021994, "overlay": 0x794c7630, "zfs": 0x2fc12fc1} {
		if err := checkMagic("/mnt", magic); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
