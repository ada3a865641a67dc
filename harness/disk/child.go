// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

const (
	size  = 12 << 20 // of the file system
	page  = 4 << 10
	pages = 20 // that are left free: 0 to this, more than any commit here takes
)

// While what the disk is full.
const (
	making  = "making"
	working = "working"
	opening = "opening"
)

// trial is the child.
type trial struct {
	*kit.Child
	mount string // the file system
	dir   string // the vault in it
	pass  pass

	working atomic.Bool // for the seeded bug
}

func child(ctx context.Context, c *kit.Child) error {
	t := &trial{Child: c, mount: filepath.Join(c.Dir, "mount")}
	t.dir = filepath.Join(t.mount, "vault")
	if err := c.Args(&t.pass); err != nil {
		return err
	}
	if err := os.Mkdir(t.mount, 0o700); err != nil {
		return err
	}
	if err := mount("-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=700", size), "tmpfs", t.mount); err != nil {
		return err
	}
	c.Ack(kit.Ack{Op: kit.OpOpen})
	for _, trial := range []func(context.Context) error{t.create, t.work, t.open, t.readOnly} {
		if err := trial(ctx); err != nil {
			return err
		}
	}
	return nil
}

func mount(args ...string) error {
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("mount: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// fill leaves n pages free while something is done.
func (t *trial) fill(n int, while string) error {
	f, err := os.Create(t.filler())
	if err != nil {
		return err
	}
	block := make([]byte, size)
	for err == nil {
		_, err = f.Write(block) // as much as there is room for
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return errors.Join(err, f.Close())
	}
	info, err := f.Stat()
	if err == nil {
		err = f.Truncate(max(0, info.Size()-int64(n)*page))
	}
	t.Ack(kit.Ack{Op: opFull, Text: while})
	return errors.Join(err, f.Close())
}

// makeRoom undoes it.
func (t *trial) makeRoom() error { return os.Remove(t.filler()) }

func (t *trial) filler() string { return filepath.Join(t.mount, "filler") }

func (t *trial) openVault(ctx context.Context) (*vault.Vault, error) {
	var wrap func(vault.Store) vault.Store
	if t.Bug {
		wrap = func(s vault.Store) vault.Store { return kit.Over(s, hungry{s, &t.working}) }
	}
	return kit.OpenVault(ctx, t.Store, t.dir, wrap)
}

// hungry is the seeded bug: under a vault that is at work, a store that takes a full disk for success.
type hungry struct {
	vault.Store
	working *atomic.Bool
}

func (s hungry) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	err := s.Store.Update(ctx, since, fn)
	if errors.Is(err, syscall.ENOSPC) && s.working.Load() {
		return nil
	}
	return err
}
