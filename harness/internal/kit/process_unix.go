// SPDX-License-Identifier: Apache-2.0

//go:build unix

package kit

import (
	"os/exec"
	"syscall"
)

// together lets the end of the context of a command end the processes too that it has started: strace would leave the one that it
// traces behind, which holds the pipes open.
func together(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
