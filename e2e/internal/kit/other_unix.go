// SPDX-License-Identifier: Apache-2.0

//go:build unix

package kit

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// otherID is a user and a group that no account has, as a rule.
const otherID = 61234

// asOther makes cmd run as another user, who is given dir, or says why not.
func asOther(cmd *exec.Cmd, dir string) (why string) {
	if os.Getuid() != 0 {
		return "only root can start one as another user"
	}
	program, err := filepath.EvalSymlinks(cmd.Path)
	for _, path := range []string{cmd.Path, program, dir} {
		for p := filepath.Dir(path); p != filepath.Dir(p) && err == nil; p = filepath.Dir(p) {
			var info os.FileInfo
			if info, err = os.Stat(p); err == nil && info.Mode()&1 == 0 {
				return p + " is closed to other users"
			}
		}
	}
	walk := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, otherID, otherID))
	})
	if err := errors.Join(err, walk); err != nil {
		return err.Error()
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: otherID, Gid: otherID}}
	return ""
}
