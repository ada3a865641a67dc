// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// want is what the fault must be answered with, by what was lied to at this level.
func (b *bed) want() []error {
	if b.fault.name == anotherKey {
		return []error{b.level.another}
	}
	return b.fault.want
}

// try makes a call while the service is broken. It is answered in time and as it must be, and changes nothing if it fails.
func (b *bed) try(want []error, records bool, call func(context.Context) error) error {
	before, err := kit.ContentOf(b.ctx, b.stores[0])
	if err != nil {
		return err
	}
	b.service.breakBy(b.fault)
	got, hangs := b.timed(call)
	switch {
	case hangs != nil:
		return hangs
	case errors.Is(got, context.DeadlineExceeded) && b.fault.kind != late:
		return errBusy
	case !slices.ContainsFunc(want, func(w error) bool { return errors.Is(got, w) }):
		return kit.Violationf("answers %v, want one of %v", got, want)
	case got == nil:
		return nil
	}
	after, err := kit.ContentOf(b.ctx, b.stores[0])
	if err != nil {
		return err
	}
	return unchanged(before, after, records)
}

func (b *bed) open() error {
	return b.try(b.want(), false, func(ctx context.Context) error {
		_, err := b.enter(ctx, b.root)
		return err
	})
}

func (b *bed) rotate() error {
	return b.try(b.want(), true, func(ctx context.Context) error {
		return b.vaults[0].Operator("kms").RotateKeys(ctx, vault.Rotation{Reason: "kms"})
	})
}

func (b *bed) setFromBroken() error {
	w, err := newWrapper("key-3")
	if err != nil {
		return err
	}
	return b.set(b.want(), kms.Wrapper(w))
}

// setToBroken: what a root cannot seal and give back is not used. Whether it lies or is away is all one then.
func (b *bed) setToBroken() error {
	b.service = &service{keys: b.service.keys}
	b.service.keys.good, b.service.keys.other = b.service.keys.other, b.service.keys.good
	return b.set(append(slices.Clone(b.want()), vault.ErrKMSUnavailable, vault.ErrTampered, vault.ErrWrongKey), b.level.root(b.service))
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
	return b.try(b.want(), false, func(ctx context.Context) error { return b.get(ctx, b.vaults[0]) })
}

// afterwards the service is well again, and everything works: in the vault that met the failure, within the pause that it makes
// before it asks again, and in one that is opened now. It may have to be opened again if it was lied to.
func (b *bed) afterwards() error {
	damaged := func(err error) bool { return b.fault.kind == lies && errors.Is(err, vault.ErrTampered) }
	var err error
	for end := time.Now().Add(grace); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var hangs error
		err, hangs = answered(grace, func() error { return b.get(b.ctx, b.vaults[0]) })
		if hangs != nil {
			return fmt.Errorf("afterwards: %w", hangs)
		}
		if err == nil || errors.Is(err, vault.ErrTampered) {
			break
		}
	}
	if err != nil && !damaged(err) {
		return kit.Violationf("afterwards: %v", err)
	}
	err, hangs := answered(grace, b.anew)
	if err != nil {
		err = kit.Violationf("afterwards, opened again: %v", err)
	}
	return cmp.Or(err, hangs)
}

// anew opens the vault once more, with the root that it has by now.
func (b *bed) anew() error {
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
		return err
	}
	tokens, err := v.Operator("kms").Tokens(b.ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(tokens, func(t vault.TokenState) bool { return t.Link.ID == b.link })
	switch {
	case i < 0:
		return errors.New("the token is not among Tokens")
	case tokens[i].Uses != b.uses:
		return fmt.Errorf("%d uses are counted, %d were granted", tokens[i].Uses, b.uses)
	}
	return nil
}
