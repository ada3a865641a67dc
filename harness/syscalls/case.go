// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/harness/internal/strace"
	"github.com/keyward-go/keyward/vault"
)

// life is one child's, from start to end.
type life struct {
	dir    string
	acks   []kit.Ack
	code   int
	stderr string
	calls  []strace.Call
}

// live runs a child under strace in the new folder dir.
func live(ctx context.Context, r *kit.Run, dir string, o strace.Options) (*life, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	o.Output = dir + ".trace"
	defer os.Remove(o.Output)
	prefix, err := strace.Command(o)
	if err != nil {
		return nil, err
	}
	p, err := r.Start(ctx, dir, nil, []string{"GOMAXPROCS=1"}, prefix...)
	if err != nil {
		return nil, err
	}
	l := &life{dir: dir}
	if l.acks, l.code, err = p.Wait(); err != nil {
		return nil, err
	}
	l.stderr = p.Stderr()
	l.calls, err = strace.Read(o.Output)
	return l, err
}

// hits reports whether a call is one of the vault's: on its files, or an acknowledgement.
func (l *life) hits(c strace.Call) bool { return c.Touches(l.dir) || isAck(c) }

// elsewhere reports whether a fault struck something else than the vault. That may end the Go runtime itself, which does
// without none of its own calls.
func (l *life) elsewhere(c strace.Call) bool { return c.Injected && !l.hits(c) }

func isAck(c strace.Call) bool {
	return c.Name == "write" && len(c.Args) > 0 && strings.HasPrefix(c.Args[0], kit.AckFD)
}

// try runs one case. hit says whether the fault struck the vault.
func try(ctx context.Context, r *kit.Run, dir string, f fault) (hit bool, err error) {
	defer os.RemoveAll(dir)
	l, err := live(ctx, r, dir, strace.Options{Calls: []string{f.call, "write"}, Inject: f.String()})
	if err != nil {
		return false, err
	}
	struck := l.struck(f)
	if len(struck) == 0 || l.code == kit.ExitCrash && slices.ContainsFunc(l.calls, l.elsewhere) {
		return false, nil
	}
	return true, errors.Join(l.judge(f, struck), l.reopen(ctx, r))
}

// struck is how many acknowledgements there were before each fault that hit the vault.
func (l *life) struck(f fault) (at []int) {
	acks := 0
	for _, c := range l.calls {
		killed := f.action == kill && l.code < 0 && c.Result == "?"
		if c.Name == f.call && (c.Injected || killed) && l.hits(c) {
			at = append(at, acks)
		} else if isAck(c) {
			acks++
		}
	}
	return at
}

// judge looks at how the child saw it.
func (l *life) judge(f fault, struck []int) error {
	switch {
	case l.code == kit.ExitCrash, l.code == kit.ExitHung:
		return kit.Violationf("the process ended with code %d: %s", l.code, l.stderr)
	case l.code < 0 && f.action != kill:
		return kit.Violationf("the process was killed: %s", l.stderr)
	case l.code > 0 && l.code != kit.ExitMute:
		return fmt.Errorf("the child ended with code %d: %s", l.code, l.stderr)
	}
	if l.code < 0 || l.code == kit.ExitMute {
		return nil
	}
	if strings.HasSuffix(f.call, "sync") {
		for _, at := range struck {
			if err := afterSync(l.acks[min(at, len(l.acks)):]); err != nil {
				return err
			}
		}
		return nil
	}
	if f.action == enospc {
		return l.afterFull(len(struck))
	}
	return nil
}

// roomless reports whether a call failed that needs no room, as none does for a full disk: the store may refuse until it is
// opened again.
func roomless(c strace.Call) bool {
	opens := c.Name == "open" || c.Name == "openat"
	makes := slices.ContainsFunc(c.Args, func(a string) bool { return strings.Contains(a, "O_CREAT") })
	return c.Injected && (c.Name == "ftruncate" || opens && !makes)
}

// afterSync: a process whose sync failed grants and records nothing more until it has opened the vault again.
func afterSync(acks []kit.Ack) error {
	for n, a := range acks {
		if a.Op == kit.OpOpen && a.Outcome == kit.Granted {
			return nil
		}
		if n == 0 && a.Op == "rotate" && a.Outcome == kit.Failed && strings.Contains(a.Text, kit.KeyFile) {
			return nil // it was the key's, not the store's
		}
		if a.Op != kit.OpClose && a.Op != kit.OpCheckpoint && (a.Outcome == kit.Granted || a.Outcome == kit.Refused) {
			return kit.Violationf("after a failed sync, %s %s answered as if it were recorded", a.Op, a.ID)
		}
	}
	return nil
}

// afterFull: a full disk passes by itself. Each time it was full may cost one call, and those that needed what it made.
func (l *life) afterFull(times int) error {
	failed := 0
	for _, a := range l.acks {
		if strings.Contains(a.Text, vault.ErrTampered.Error()) {
			return kit.Violationf("a full disk is taken for damage: %s %s: %s", a.Op, a.ID, a.Text)
		}
		if a.Outcome == kit.NotRecorded || a.Op == kit.OpOpen && a.Outcome != kit.Granted {
			failed++
		}
	}
	if failed > times && !slices.ContainsFunc(l.calls, roomless) {
		i := slices.IndexFunc(l.acks, func(a kit.Ack) bool { return a.Outcome != kit.Granted })
		return kit.Violationf("the disk was full %d times and %d calls failed; the first: %s: %s", times, failed, l.acks[i].Op, l.acks[i].Text)
	}
	return nil
}

// reopen opens what is left, without strace, and checks it.
func (l *life) reopen(ctx context.Context, r *kit.Run) error {
	book := kit.NewBook()
	if err := book.Add(l.acks); err != nil {
		return err
	}
	v, err := kit.OpenVault(ctx, r.Store, l.dir, nil)
	if err != nil { // also if it was never open: whoever made it tries again
		return kit.Violationf("the vault does not open again: %v", err)
	}
	defer v.Close()
	if err := book.Check(ctx, v); err != nil {
		return fmt.Errorf("after the fault: %w", err)
	}
	return nil
}
