// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

var ops = []struct {
	name string
	run  func(*bed) error
}{
	{"open", (*bed).open},
	{"rotate", (*bed).rotate},
	{"set root, the former one", (*bed).setFromBroken},
	{"set root, the new one", (*bed).setToBroken},
	{"follow", (*bed).follow},
}

// try makes a call while the service is broken. It is answered in time and as it must be, and changes nothing if it fails.
func (b *bed) try(want []error, records bool, call func(context.Context) error) error {
	before, err := contentOf(b.ctx, b.stores[0])
	if err != nil {
		return err
	}
	b.service.breakBy(b.fault)
	got, err := b.timed(b.ctx, call)
	if err != nil {
		return err
	}
	if errors.Is(got, context.DeadlineExceeded) && !slices.Contains(want, nil) {
		want = []error{got} // on a busy machine any answer may be too late
	}
	if !slices.ContainsFunc(want, func(w error) bool { return errors.Is(got, w) }) {
		return kit.Violationf("answers %v, want one of %v", got, want)
	}
	if got == nil {
		return nil
	}
	after, err := contentOf(b.ctx, b.stores[0])
	if err != nil {
		return err
	}
	return before.unchanged(after, records)
}

func (b *bed) open() error {
	return b.try(b.fault.want, false, func(ctx context.Context) error {
		_, err := b.enter(ctx, b.root)
		return err
	})
}

func (b *bed) rotate() error {
	return b.try(b.fault.want, true, func(ctx context.Context) error {
		return b.vaults[0].Operator("kms").RotateKeys(ctx, vault.Rotation{Reason: "kms"})
	})
}

func (b *bed) setFromBroken() error {
	w, err := newWrapper("key-3")
	if err != nil {
		return err
	}
	return b.set(b.fault.want, kms.Wrapper(w))
}

// setToBroken: what a root cannot seal and give back is not used. Whether it lies or is away is all one then.
func (b *bed) setToBroken() error {
	b.service = &service{keys: b.service.keys}
	b.service.keys.good, b.service.keys.other = b.service.keys.other, b.service.keys.good
	return b.set(append(slices.Clone(b.fault.want), vault.ErrKMSUnavailable, vault.ErrTampered, vault.ErrWrongKey), b.level(b.service))
}

func (b *bed) set(want []error, root vault.RootKey) error {
	done := false
	err := b.try(want, true, func(ctx context.Context) error {
		err := b.vaults[0].Operator("kms").SetRoot(ctx, root, "kms")
		done = err == nil
		return err
	})
	if done {
		b.next = root
	}
	return err
}

// follow: the other vault rotates, and this one has to ask its root before it grants anything.
func (b *bed) follow() error {
	other, err := b.enter(b.ctx, b.well)
	if err != nil {
		return err
	}
	if err := other.Operator("kms").RotateKeys(b.ctx, vault.Rotation{Reason: "kms"}); err != nil {
		return err
	}
	return b.try(b.fault.want, false, func(ctx context.Context) error { return b.get(ctx, b.vaults[0]) })
}

// afterwards the service is well again, and everything works: in the vault that met the failure, within the pause that it makes
// before it asks again, and in one that is opened now. It may have to be opened again if it was lied to.
func (b *bed) afterwards() error {
	var err error
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = b.get(b.ctx, b.vaults[0]); err == nil || errors.Is(err, vault.ErrTampered) {
			break
		}
	}
	if err != nil && !errors.Is(err, vault.ErrTampered) {
		return kit.Violationf("afterwards: %v", err)
	}
	root := b.root
	if b.next != nil {
		root = b.next
	}
	v, err := b.enter(b.ctx, root)
	if err == nil {
		err = b.get(b.ctx, v)
	}
	if err == nil {
		err = v.Operator("kms").RotateKeys(b.ctx, vault.Rotation{Reason: "kms"})
	}
	if err == nil {
		err = v.Log().Verify(b.ctx)
	}
	if err != nil {
		return kit.Violationf("afterwards, opened again: %v", err)
	}
	tokens, err := v.Operator("kms").Tokens(b.ctx)
	for _, t := range tokens {
		if t.Link.ID == b.link && t.Uses != b.uses {
			err = kit.Violationf("%d uses are counted, %d were granted", t.Uses, b.uses)
		}
	}
	return err
}
