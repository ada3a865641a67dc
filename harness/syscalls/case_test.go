// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"errors"
	"slices"
	"testing"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/harness/internal/strace"
	"github.com/keyward-go/keyward/vault"
)

func TestJudge(t *testing.T) {
	open, get := kit.Ack{Op: kit.OpOpen}, kit.Ack{Op: "get", ID: "1"}
	lost, refused := kit.Ack{Op: "get", Outcome: kit.NotRecorded}, kit.Ack{Op: "get", Outcome: kit.Refused}
	damaged := kit.Ack{Op: "get", Outcome: kit.NotRecorded, Text: "not recorded: " + vault.ErrTampered.Error()}
	keyless := kit.Ack{Op: "rotate", Outcome: kit.Failed, Text: "no root key at /v/" + kit.KeyFile}
	notOpen, signed, closed := kit.Ack{Op: kit.OpOpen, Outcome: kit.Failed}, kit.Ack{Op: kit.OpCheckpoint}, kit.Ack{Op: kit.OpClose}
	for _, c := range []struct {
		why    string
		call   string
		action string
		code   int
		struck []int // acknowledgements before each fault
		acks   []kit.Ack
		good   bool
	}{
		{"refuses after a failed sync", "fsync", eio, 0, []int{2}, []kit.Ack{open, get, lost, lost, signed, closed}, true},
		{"grants after a failed sync", "fsync", eio, 0, []int{2}, []kit.Ack{open, get, lost, get}, false},
		{"says that it refused after a failed sync", "fdatasync", enospc, 0, []int{2}, []kit.Ack{open, get, lost, refused}, false},
		{"takes a failed sync for success", "fdatasync", eio, 0, []int{1}, []kit.Ack{open, get, closed}, false},
		{"grants after a failed sync of the key", "fsync", eio, 0, []int{2}, []kit.Ack{open, get, keyless, get}, true},
		{"grants after a failed sync before that of the key", "fsync", eio, 0, []int{1}, []kit.Ack{open, lost, keyless, get}, false},
		{"grants after failed syncs of the key and the store", "fsync", eio, 0, []int{1, 2}, []kit.Ack{open, keyless, lost, get}, false},
		{"opens again after a failed sync", "fsync", eio, 0, []int{0}, []kit.Ack{notOpen, open, get}, true},
		{"goes on when the disk was full", "pwrite64", enospc, 0, []int{1}, []kit.Ack{open, lost, get, closed}, true},
		{"does not go on when the disk was full", "pwrite64", enospc, 0, []int{1}, []kit.Ack{open, lost, lost, closed}, false},
		{"takes a full disk for damage", "pwrite64", enospc, 0, []int{1}, []kit.Ack{open, damaged, get}, false},
		{"was full twice", "pwrite64", enospc, 0, []int{1, 2}, []kit.Ack{open, lost, lost, get}, true},
		{"stops for good after EIO", "pwrite64", eio, 0, []int{1}, []kit.Ack{open, lost, lost, closed}, true},
		{"was killed", "write", kill, -1, []int{1}, []kit.Ack{open}, true},
		{"was killed by nobody", "write", eio, -1, []int{1}, []kit.Ack{open}, false},
		{"could not acknowledge", "write", eio, kit.ExitMute, []int{1}, []kit.Ack{open}, true},
		{"crashed", "write", eio, kit.ExitCrash, []int{1}, []kit.Ack{open}, false},
		{"hung", "fsync", eio, kit.ExitHung, []int{1}, []kit.Ack{open}, false},
	} {
		l := &life{acks: c.acks, code: c.code}
		err := l.judge(fault{c.call, c.action, 1}, c.struck)
		var broken *kit.Violation
		if (err == nil) != c.good || err != nil && !errors.As(err, &broken) {
			t.Errorf("a process that %s: %v", c.why, err)
		}
	}
	if err, broken := (&life{code: kit.ExitError}).judge(fault{"write", eio, 1}, []int{0}), (*kit.Violation)(nil); err == nil || errors.As(err, &broken) {
		t.Errorf("a process that could not do its work: %v", err)
	}
}

// Only what hits the vault, or an acknowledgement, is a case.
func TestStruck(t *testing.T) {
	const file, elsewhere = `7<\x2f\x76\x2f\x61>`, `8<\x2f\x77>`
	ack := strace.Call{Name: "write", Args: []string{"3<pipe:[1]>"}, Result: "9"}
	for _, c := range []struct {
		action string
		code   int
		call   strace.Call
		want   []int
	}{
		{eio, 0, strace.Call{Name: "fsync", Args: []string{file}, Result: "-1 EIO", Injected: true}, []int{1}},
		{eio, 0, strace.Call{Name: "fsync", Args: []string{file}, Result: "-1 EIO"}, nil},
		{eio, 0, strace.Call{Name: "fsync", Args: []string{elsewhere}, Result: "-1 EIO", Injected: true}, nil},
		{kill, -1, strace.Call{Name: "fsync", Args: []string{file}, Result: "?"}, []int{1}},
		{kill, -1, strace.Call{Name: "fsync", Args: []string{elsewhere}, Result: "?"}, nil},
		{kill, 0, strace.Call{Name: "fsync", Args: []string{file}, Result: "0"}, nil},
	} {
		l := &life{dir: "/v", code: c.code, calls: []strace.Call{ack, c.call, ack}}
		if got := l.struck(fault{"fsync", c.action, 1}); !slices.Equal(got, c.want) {
			t.Errorf("%s, %+v: %v, want %v", c.action, c.call, got, c.want)
		}
	}
}
