// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const path = "production/search/key"

// bed is a vault whose root can be broken, and another one on the same store whose root is well.
type bed struct {
	*watch
	ctx        context.Context
	service    *service
	fault      *fault
	level      func(*service) vault.RootKey
	root, well vault.RootKey
	next       vault.RootKey // with which the store opens, once SetRoot has given it another root
	opener     func() (vault.Store, error)
	stores     []vault.Store
	vaults     []*vault.Vault
	token      vault.Token
	link       string
	uses       int // granted
}

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

// make makes the vault, with a token that has been used once.
func (b *bed) make(store kit.Store, dir string) error {
	b.opener = func() (vault.Store, error) {
		if store.Name != "sqlite" && len(b.stores) > 0 {
			return kit.Kept(b.stores[0]), nil
		}
		s, err := store.Open(b.ctx, filepath.Join(dir, kit.StoreFile))
		if err == nil {
			b.stores = append(b.stores, s)
			s = kit.Kept(s)
		}
		return s, err
	}
	v, err := b.enter(b.ctx, b.root)
	if err != nil {
		return err
	}
	op := v.Operator("kms")
	if _, err := op.Put(b.ctx, vault.Item{Path: path, Value: vault.NewSecret("value")}); err != nil {
		return err
	}
	s, err := op.Issue(b.ctx, vault.Grant{Agent: "kms", Scopes: scope.MustParse("secrets:read:*"), TTL: time.Hour, MaxUses: 1000})
	if err != nil {
		return err
	}
	claims, err := s.Claims(b.ctx)
	if err != nil {
		return err
	}
	b.token, b.link = s.Token(), claims[0].ID
	return b.get(b.ctx, v)
}

// enter opens the vault.
func (b *bed) enter(ctx context.Context, root vault.RootKey) (*vault.Vault, error) {
	s, err := b.opener()
	if err != nil {
		return nil, err
	}
	v, err := vault.Open(ctx, vault.Config{Store: s, Root: root})
	if err == nil {
		b.vaults = append(b.vaults, v)
	}
	return v, err
}

func (b *bed) close() (err error) {
	for _, v := range b.vaults {
		err = errors.Join(err, v.Close())
	}
	for _, s := range b.stores {
		err = errors.Join(err, s.Close())
	}
	return err
}

func (b *bed) get(ctx context.Context, v *vault.Vault) error {
	it, err := v.Session(b.token, netip.Addr{}).Get(ctx, vault.Request{Path: path})
	switch {
	case err != nil && it.Value.Reveal() != "":
		return kit.Violationf("a value beside the error %v", err)
	case err == nil:
		b.uses++
	}
	return err
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

// content is what a store holds.
type content struct {
	rows  []vault.Row
	lines [][]byte
}

func contentOf(ctx context.Context, s vault.Store) (c content, err error) {
	if c.rows, err = s.Rows(ctx, "", 1000); err == nil {
		c.lines, err = s.Lines(ctx, 0, 1000)
	}
	return c, err
}

// unchanged: a failure leaves its record, at most, and the head that covers it. One behind a commit of the same rotation is
// no failure of that commit.
func (c content) unchanged(after content, records bool) error {
	if !records && !reflect.DeepEqual(c, after) {
		return kit.Violationf("a failure has changed the store")
	}
	for n, line := range after.lines {
		if n < len(c.lines) {
			if string(line) != string(c.lines[n]) {
				return kit.Violationf("a failure has changed record %d", n)
			}
			continue
		}
		r, err := audit.ParseRecord(line)
		if err != nil {
			return fmt.Errorf("record %d: %w", n, err)
		}
		if r.Outcome == audit.Granted {
			return nil
		}
	}
	head := func(r vault.Row) bool { return r.Key == "head" }
	was, is := slices.DeleteFunc(slices.Clone(c.rows), head), slices.DeleteFunc(slices.Clone(after.rows), head)
	if !reflect.DeepEqual(was, is) {
		return kit.Violationf("a failure has changed a row")
	}
	return nil
}
