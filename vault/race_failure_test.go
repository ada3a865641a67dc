// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// storeFault is a way for one Update to fail, and whether the batch is there all the same.
type storeFault struct {
	name      string
	update    func(next func() error) error
	committed bool
}

var errDevice = errors.New("device: input/output error")

func storeFaults() []storeFault {
	instead := func(err error) func(func() error) error { return func(func() error) error { return err } }
	behind := func(err error) func(func() error) error {
		return func(next func() error) error { return errors.Join(next(), err) }
	}
	return []storeFault{
		{"ENOSPC", instead(fmt.Errorf("write: %w", syscall.ENOSPC)), false},
		{"busy", instead(vault.ErrBusy), false},
		{"EIO, nothing written", instead(errDevice), false},
		{"EIO, all written", behind(errDevice), true},
		{"deadline, all written", behind(context.DeadlineExceeded), true},
		{"closed", instead(vault.ErrClosed), false},
		{"panic within fn's caller, caught by the store", func(func() error) (err error) {
			defer func() {
				if recover() != nil {
					err = errDevice
				}
			}()
			panic("store")
		}, false},
	}
}

// once makes the next Update fail.
func (f storeFault) once(p *tap) {
	p.atUpdate(func(next func() error) error {
		p.atUpdate(nil)
		return f.update(next)
	})
}

func TestFaultGet(t *testing.T) {
	for _, f := range storeFaults() {
		t.Run(f.name, func(t *testing.T) {
			v, p := newBed(t).open()
			op := v.Operator("keeper")
			mustPut(t, op, bedPath, "value")
			s := mustIssue(t, op, reader(3))
			used := 0
			for range 2 {
				f.once(p)
				wantRefused(t, s, bedPath, vault.ErrNotRecorded)
				if f.committed {
					used++
				}
			}
			wantUses(t, op, s, used) // a use that was committed stays counted
			if used < 3 {
				wantValue(t, s, bedPath, "value", 1)
				used++
			}
			records := logOf(t, v, audit.Filter{Op: "get", Outcome: audit.Granted})
			if len(records) != used || records[used-1].Uses[0] != used {
				t.Errorf("%d records of %d uses", len(records), used)
			}
			for used < 3 {
				wantValue(t, s, bedPath, "value", 1)
				used++
			}
			wantRefused(t, s, bedPath, vault.ErrDeadToken)
			verifies(t, v)
		})
	}
}

func TestFaultChanges(t *testing.T) {
	ctx := context.Background()
	for _, f := range storeFaults() {
		t.Run(f.name, func(t *testing.T) {
			b := newBed(t)
			v, p := b.open()
			op := v.Operator("keeper")
			mustPut(t, op, bedPath, "one")
			f.once(p)
			if n, err := op.Put(ctx, vault.Item{Path: bedPath, Value: vault.NewSecret("two")}); !errors.Is(err, vault.ErrNotRecorded) || n != 0 {
				t.Errorf("Put gave %d, %v", n, err)
			}
			if f.committed {
				wantValue(t, op, bedPath, "two", 2)
			} else {
				wantValue(t, op, bedPath, "one", 1)
			}
			f.once(p)
			if s, err := op.Issue(ctx, reader(0)); !errors.Is(err, vault.ErrNotRecorded) || s != nil {
				t.Errorf("Issue gave %v, %v", s, err)
			}
			f.once(p)
			if err := op.Spawn(ctx, reader(0), func(context.Context, *vault.Session) error { t.Error("spawned"); return nil }); !errors.Is(err, vault.ErrNotRecorded) {
				t.Errorf("Spawn: %v", err)
			}
			f.once(p)
			if err := op.Use(ctx, vault.Request{Path: bedPath}, func(vault.Item) error { t.Error("used"); return nil }); !errors.Is(err, vault.ErrNotRecorded) {
				t.Errorf("Use: %v", err)
			}
			f.once(p)
			if items, err := op.List(ctx, vault.Request{Path: "*"}); !errors.Is(err, vault.ErrNotRecorded) || items != nil {
				t.Errorf("List gave %d items, %v", len(items), err)
			}
			verifies(t, v)
			must(t, v.Close())
			again, _ := b.open()
			verifies(t, again)
		})
	}
}

// TestFaultRevoke: what could not be made durable is refused in this process all the same, and stays refused.
func TestFaultRevoke(t *testing.T) {
	ctx := context.Background()
	for _, f := range storeFaults() {
		t.Run(f.name, func(t *testing.T) {
			v, p := newBed(t).open()
			op := v.Operator("keeper")
			mustPut(t, op, bedPath, "value")
			s, other := mustIssue(t, op, reader(0)), mustIssue(t, op, vault.Grant{Agent: "other", Scopes: reader(0).Scopes})
			child := mustIssue(t, s, vault.Grant{MaxUses: 5})
			f.once(p)
			if err := op.Revoke(ctx, linkOf(t, s), ""); !errors.Is(err, vault.ErrNotRecorded) {
				t.Errorf("Revoke: %v", err)
			}
			wantRefused(t, s, bedPath, vault.ErrDeadToken)
			wantRefused(t, child, bedPath, vault.ErrDeadToken)
			wantValue(t, other, bedPath, "value", 1)
			f.once(p)
			frozen := vault.Frozen{Kind: "path", Value: bedPath}
			if err := op.Freeze(ctx, frozen, ""); !errors.Is(err, vault.ErrNotRecorded) {
				t.Errorf("Freeze: %v", err)
			}
			wantRefused(t, other, bedPath, vault.ErrDenied)
			if err := op.Revoke(ctx, linkOf(t, s), "again"); err != nil {
				t.Errorf("Revoke again: %v", err)
			}
			if err := op.Freeze(ctx, frozen, "again"); err != nil {
				t.Errorf("Freeze again: %v", err)
			}
			wantRefused(t, other, bedPath, vault.ErrDenied)
			verifies(t, v)
		})
	}
}

// TestFaultThaw: a freeze that failed, was made again and is thawed is over, in this process too.
func TestFaultThaw(t *testing.T) {
	ctx := context.Background()
	v, p := newBed(t).open()
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	s := mustIssue(t, op, reader(0))
	frozen := vault.Frozen{Kind: "path", Value: bedPath}
	storeFaults()[0].once(p)
	if err := op.Freeze(ctx, frozen, ""); !errors.Is(err, vault.ErrNotRecorded) {
		t.Fatalf("Freeze: %v", err)
	}
	must(t, op.Freeze(ctx, frozen, "again"))
	must(t, op.Thaw(ctx, frozen, ""))
	wantValue(t, s, bedPath, "value", 1)
}

// TestFaultPoisoned: after a failed fsync the store refuses for good. The vault reads its log and closes, and grants nothing.
func TestFaultPoisoned(t *testing.T) {
	ctx := context.Background()
	b := newBed(t)
	v, p := b.open()
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	s := mustIssue(t, op, reader(0))
	wantValue(t, s, bedPath, "value", 1)
	before := dumpOf(t, b.store)
	p.atUpdate(func(func() error) error { return fmt.Errorf("fsync failed before: %w", syscall.EIO) })
	for range 5 {
		wantRefused(t, s, bedPath, vault.ErrNotRecorded)
		wantRefused(t, op, bedPath, vault.ErrNotRecorded)
	}
	verifies(t, v)
	text, err := exportOf(v)
	if err != nil {
		t.Errorf("Export: %v", err)
	}
	if h, err := audit.Verify(strings.NewReader(text), v.Log().Key()); err != nil || h.Size != int64(len(before.lines)) {
		t.Errorf("the export: %+v, %v", h, err)
	}
	if err := op.Revoke(ctx, linkOf(t, s), ""); !errors.Is(err, vault.ErrNotRecorded) {
		t.Errorf("Revoke: %v", err)
	}
	must(t, v.Close())
	if !dumpOf(t, b.store).equal(before) {
		t.Error("something was written")
	}
	again, _ := b.open()
	wantValue(t, at(again, s), bedPath, "value", 1)
}

// TestFaultRead: the sealed value cannot be read.
func TestFaultRead(t *testing.T) {
	b := newBed(t)
	v, _ := b.open()
	mustPut(t, v.Operator("keeper"), bedPath, "value")
	_ = v.Close()
	v, p := b.open() // an empty cache
	s := mustIssue(t, v.Operator("keeper"), reader(1))
	for name, fail := range map[string]func(string) error{
		"error": func(string) error { return errDevice },
		"panic": func(string) error { panic("store with a secret in its panic: value") },
	} {
		p.atRows(fail)
		it, err := s.Get(context.Background(), vault.Request{Path: bedPath})
		if err == nil || it.Value.Reveal() != "" || strings.Contains(err.Error(), "in its panic") {
			t.Errorf("%s: %v", name, err)
		}
		p.atRows(nil)
		wantLast(t, v, audit.Filter{Op: "get"}, audit.Failed, "error")
	}
	wantUses(t, v.Operator("keeper"), s, 0)
	wantValue(t, s, bedPath, "value", 1)
}
