// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

// TestReviewDenialsOnce: however the records of counted refusals fail, records and counts are the attempts.
func TestReviewDenialsOnce(t *testing.T) {

	var auditing int
	refusing := auditorFunc(func(_ context.Context, rs []audit.Record) error {
		for _, r := range rs {
			if r.Op == "denials" && auditing > 0 {
				auditing--
				return errDevice
			}
		}
		return nil
	})
	for name, c := range map[string]struct {
		auditor bool
		faults  []func(func() error) error
	}{
		"auditor refuses":        {auditor: true},
		"unknown, committed":     {faults: []func(func() error) error{storeFaults()[3].update}},
		"unknown, not committed": {faults: []func(func() error) error{storeFaults()[2].update}},
		"one after the other": {faults: []func(func() error) error{
			storeFaults()[3].update, storeFaults()[2].update, storeFaults()[1].update, storeFaults()[2].update, storeFaults()[3].update, storeFaults()[0].update,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				auditing = 0
				v, p := newBed(t).open(func(cfg *vault.Config) {
					if c.auditor {
						auditing, cfg.Auditors = 1, []vault.Auditor{refusing}
					}
				})
				op := v.Operator("keeper")
				s := mustIssue(t, op, reader(0))
				must(t, op.Revoke(t.Context(), linkOf(t, s), ""))
				const attempts = 500
				for range attempts {
					wantRefused(t, s, bedPath, vault.ErrDeadToken)
				}
				faults := c.faults
				p.atUpdate(func(next func() error) error {
					if len(faults) == 0 {
						return next()
					}
					f := faults[0]
					faults = faults[1:]
					return f(next)
				})
				time.Sleep(20 * time.Second) // of the bubble
				p.atUpdate(nil)
				records, counted, _ := (&attacked{t: t}).told(v, 0)
				if records+counted != attempts || len(faults) > 0 || auditing > 0 {
					t.Errorf("%d records and %d counted, of %d attempts; %d faults left", records, counted, attempts, len(faults)+auditing)
				}
				must(t, v.Close())
			})
		})
	}
}

// TestReviewLogBesideOthers: a vault that cannot ask the store does not call what another has written tampering.
func TestReviewLogBesideOthers(t *testing.T) {
	b := newBed(t)
	v, p := b.open()
	other, _ := b.open()
	for _, fault := range []error{vault.ErrBusy, errDevice} {
		mustPut(t, other.Operator("keeper"), bedPath, "value")
		p.atUpdate(func(func() error) error { return fault })
		if err := v.Log().Verify(t.Context()); errors.Is(err, vault.ErrTampered) {
			t.Errorf("%v: Verify: %v", fault, err)
		}
		for _, err := range v.Log().Records(t.Context(), audit.Filter{}) {
			if errors.Is(err, vault.ErrTampered) {
				t.Errorf("%v: Records: %v", fault, err)
			}
		}
		if _, err := exportOf(v); errors.Is(err, vault.ErrTampered) {
			t.Errorf("%v: Export: %v", fault, err)
		}
		p.atUpdate(nil)
		verifies(t, v)
	}
}

// panicLines is a store whose Lines panics from a line on.
type panicLines struct {
	*tap
	from atomic.Int64 // what is read ahead may outlive its reader
}

func (s *panicLines) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	if from >= s.from.Load() {
		panic("Lines")
	}
	return s.tap.Lines(ctx, from, n)
}

// TestReviewLinesPanics: a panic of the store on the way through the log is an error, in whichever goroutine.
func TestReviewLinesPanics(t *testing.T) {
	b := newBed(t)
	s := &panicLines{tap: &tap{Store: b.store}}
	s.from.Store(math.MaxInt64)
	v, err := vault.Open(t.Context(), vault.Config{Store: s, Root: b.root})
	must(t, err)
	op := v.Operator("keeper")
	for range 5 {
		mustPut(t, op, bedPath, "value")
	}
	checkpoint, err := v.Log().Checkpoint(t.Context())
	must(t, err)
	for _, from := range []int64{0, 1, 6} { // the first page, what is read ahead, what is behind the head
		s.from.Store(from)
		for name, read := range map[string]func() error{
			"Verify": func() error { return v.Log().Verify(t.Context()) },
			"Export": func() error { return v.Log().Export(t.Context(), io.Discard) },
			"Records": func() (err error) {
				for _, e := range v.Log().Records(t.Context(), audit.Filter{}) {
					err = errors.Join(err, e)
				}
				return err
			},
			"Tokens": func() error { _, err := op.Tokens(t.Context()); return err },
			"Prove": func() error {
				_, _, err := v.Log().Prove(t.Context(), 0, checkpoint)
				if from > 0 && err == nil {
					err = errDevice // it need not read so far
				}
				return err
			},
		} {
			func() {
				defer func() {
					if p := recover(); p != nil {
						t.Errorf("%s from %d: it panicked", name, from)
					}
				}()
				if err := read(); err == nil || errors.Is(err, vault.ErrTampered) {
					t.Errorf("%s from %d: %v", name, from, err)
				}
			}()
		}
	}
	s.from.Store(math.MaxInt64)
	verifies(t, v)
	must(t, v.Close())
}

func idle(func() error) error { return nil }

// TestReviewIdleUpdate: a store that says nil without running the update gets nothing out.
func TestReviewIdleUpdate(t *testing.T) {
	b := newBed(t)
	v, p := b.open()
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	s := mustIssue(t, op, reader(3))
	wantValue(t, s, bedPath, "value", 1)
	before := dumpOf(t, b.store)
	p.atUpdate(idle)
	for range 5 {
		wantRefused(t, s, bedPath, vault.ErrNotRecorded)
		wantRefused(t, op, bedPath, vault.ErrNotRecorded)
	}
	if n, err := op.Put(t.Context(), vault.Item{Path: bedPath, Value: vault.NewSecret("two")}); err == nil || n != 0 {
		t.Errorf("Put gave %d, %v", n, err)
	}
	if child, err := op.Issue(t.Context(), reader(0)); err == nil || child != nil {
		t.Errorf("Issue gave %v, %v", child, err)
	}
	p.atUpdate(nil)
	if !dumpOf(t, b.store).equal(before) {
		t.Error("something was written")
	}
	wantUses(t, op, s, 1)
	wantValue(t, s, bedPath, "value", 1)
	verifies(t, v)
}

// TestReviewIdleOpen: nor does a vault open on it, new or old: what it holds has not been checked.
func TestReviewIdleOpen(t *testing.T) {
	old := newVictim(t, 1)
	for name, store := range map[string]vault.Store{"new": memory.New(), "old": old.store(t)} {
		p := &tap{Store: store}
		p.atUpdate(idle)
		if v, err := vault.Open(t.Context(), vault.Config{Store: p, Root: old.root}); err == nil {
			t.Errorf("%s: it was opened", name)
			must(t, v.Close())
		}
	}
}

// paddedWrapper answers with more than a keyring holds.
type paddedWrapper struct{ wrapping.Wrapper }

func (w paddedWrapper) Encrypt(ctx context.Context, b []byte, o ...wrapping.Option) (*wrapping.BlobInfo, error) {
	info, err := w.Wrapper.Encrypt(ctx, b, o...)
	if err == nil {
		info.KeyInfo.WrappedKey = make([]byte, 64<<10)
	}
	return info, err
}

type sealOnly struct{ attackRoot }

func (sealOnly) DecryptWithContext(context.Context, []byte, []byte) ([]byte, error) {
	return nil, fmt.Errorf("kms:Decrypt: %w", vault.ErrKMSUnavailable)
}

// TestReviewRootOneWay: no vault is made that could not be opened again.
func TestReviewRootOneWay(t *testing.T) {
	for name, root := range map[string]vault.RootKey{"cannot open": sealOnly{1}, "answers too much": kms.Wrapper(paddedWrapper{testWrapper(t, 1)})} {
		store := memory.New()
		if _, err := vault.Open(t.Context(), vault.Config{Store: &tap{Store: store}, Root: root}); err == nil {
			t.Errorf("%s: it was opened", name)
		}
		wantEmpty(t, store)
	}
}
