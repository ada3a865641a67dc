// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// sink keeps the lines that it is told, and answers what it is set to.
type sink struct {
	mu    sync.Mutex
	lines []string
	next  func(context.Context, []audit.Record) error // for one batch
}

func (s *sink) Audit(ctx context.Context, records []audit.Record) error {
	s.mu.Lock()
	for _, r := range records {
		s.lines = append(s.lines, r.String())
	}
	next := s.next
	s.next = nil
	s.mu.Unlock()
	if next != nil {
		return next(ctx, records)
	}
	return nil
}

func (s *sink) once(f func(context.Context, []audit.Record) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = f
}

func (s *sink) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

func audited(t *testing.T, auditors, observers []vault.Auditor) (*vault.Vault, *vault.Operator) {
	t.Helper()
	v, _ := newBed(t).open(func(c *vault.Config) { c.Auditors, c.Observers = auditors, observers })
	op := v.Operator("keeper")
	return v, op
}

// sinkFaults are the ways in which an auditor does not accept.
func sinkFaults() map[string]func(context.Context, []audit.Record) error {
	return map[string]func(context.Context, []audit.Record) error{
		"error":      func(context.Context, []audit.Record) error { return errors.New("no") },
		"panic":      func(context.Context, []audit.Record) error { panic("sink") },
		"nil panic":  func(context.Context, []audit.Record) error { panic(error(nil)) },
		"hang":       func(ctx context.Context, _ []audit.Record) error { <-ctx.Done(); return ctx.Err() },
		"deaf, slow": func(context.Context, []audit.Record) error { time.Sleep(7 * time.Second); return nil },
		"goexit":     func(context.Context, []audit.Record) error { runtime.Goexit(); return nil },
	}
}

func TestAuditorRefuses(t *testing.T) {
	for name, f := range sinkFaults() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good, bad := &sink{}, &sink{}
				v, op := audited(t, []vault.Auditor{good, bad}, nil)
				mustPut(t, op, bedPath, "value")
				s := mustIssue(t, op, reader(10))
				// All callers of one batch have the same answer.
				bad.once(f)
				start := time.Now()
				wantRefused(t, s, bedPath, vault.ErrNotRecorded)
				if took := time.Since(start); took > 5100*time.Millisecond {
					t.Errorf("it took %s", took)
				}
				synctest.Wait()
				if name == "deaf, slow" {
					time.Sleep(10 * time.Second) // virtual: the auditor comes back
				}
				wantValue(t, s, bedPath, "value", 1)
				wantUses(t, op, s, 2) // the count of what was withheld stands
				if n := len(logOf(t, v, audit.Filter{Op: "get", Outcome: audit.Granted})); n != 2 {
					t.Errorf("%d records", n)
				}
				bad.once(f)
				if child, err := op.Issue(context.Background(), reader(0)); !errors.Is(err, vault.ErrNotRecorded) || child != nil {
					t.Errorf("Issue gave %v, %v", child, err)
				}
				time.Sleep(10 * time.Second)
				bad.once(f)
				if err := op.Use(context.Background(), vault.Request{Path: bedPath}, func(vault.Item) error { t.Error("lent"); return nil }); !errors.Is(err, vault.ErrNotRecorded) {
					t.Errorf("Use: %v", err)
				}
				time.Sleep(10 * time.Second)
				must(t, v.Close())
				once(t, good.seen())
				once(t, bad.seen())
			})
		})
	}
}

// once checks that the lines are numbered upwards, none twice.
func once(t testing.TB, lines []string) {
	t.Helper()
	last := int64(-1)
	for _, l := range lines {
		r, err := audit.ParseRecord([]byte(l))
		if err != nil {
			t.Errorf("%v: %s", err, l)
		}
		if r.Seq <= last {
			t.Errorf("record %d was told behind %d", r.Seq, last)
		}
		last = r.Seq
	}
}

// TestAuditorBatch: all callers of the batch that is refused, and none of the batch behind it.
func TestAuditorBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := &sink{}
		v, op := audited(t, []vault.Auditor{bad}, nil)
		mustPut(t, op, bedPath, "value")
		s := mustIssue(t, op, reader(0))
		gate := make(chan struct{})
		bad.once(func(context.Context, []audit.Record) error { <-gate; return nil })
		results := make(chan error, 65)
		call := func() {
			_, _, err := getPath(s, bedPath)
			results <- err
		}
		go call() // batch 1 is with the auditor
		synctest.Wait()
		go call() // batch 2 is committed and waits for the releaser
		synctest.Wait()
		for range 63 { // batch 3 gathers
			go call()
		}
		synctest.Wait()
		n := 0
		var refuse func(context.Context, []audit.Record) error
		refuse = func(_ context.Context, r []audit.Record) error {
			if n++; len(r) > 1 {
				return errors.New("no")
			}
			bad.once(refuse)
			return nil
		}
		bad.once(refuse)
		close(gate)
		granted, refused := 0, 0
		for range 65 {
			switch err := <-results; {
			case err == nil:
				granted++
			case errors.Is(err, vault.ErrNotRecorded):
				refused++
			default:
				t.Error(err)
			}
		}
		if granted != 2 || refused != 63 {
			t.Errorf("%d granted, %d refused: want 2 and 63", granted, refused)
		}
		wantValue(t, s, bedPath, "value", 1)
		must(t, v.Close())
		once(t, bad.seen())
	})
}

// TestAuditorSees: an auditor is told the very lines of the log, all of them but the first, in their order.
func TestAuditorSees(t *testing.T) {
	ctx := context.Background()
	var file bytes.Buffer
	one, two, watcher := &sink{}, &audit.Writer{W: &file}, &sink{}
	v, op := audited(t, []vault.Auditor{one, two}, []vault.Auditor{watcher})
	mustPut(t, op, bedPath, "value")
	s := mustIssue(t, op, reader(1000))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 10 {
				_, err := s.Get(ctx, vault.Request{Path: bedPath, Reason: "a\nreason", Call: "c1", Metadata: map[string]string{"k": "v", "a": "\x00"}})
				if err != nil {
					t.Error(err)
				}
				_, _, _ = getPath(s, "no path")
				_, _, _ = getPath(s, "production/none")
			}
		})
	}
	wg.Wait()
	must(t, op.Revoke(ctx, linkOf(t, s), "end"))
	var want []string
	for _, r := range logOf(t, v, audit.Filter{Since: 1}) { // record 0 made the vault, before there were auditors
		want = append(want, r.String())
	}
	must(t, v.Close())
	for name, got := range map[string][]string{
		"auditor": one.seen(), "observer": watcher.seen(), "audit.Writer": strings.Split(strings.TrimSuffix(file.String(), "\n"), "\n"),
	} {
		// What Close wrote may be more than the log that was read before.
		if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			t.Errorf("the %s was told %d records, which are not the %d of the log", name, len(got), len(want))
		}
	}
}

// TestObserver: what observers answer changes nothing, and one that hangs does not slow the calls down.
func TestObserver(t *testing.T) {
	for name, f := range sinkFaults() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := auditorFunc(f)
				v, op := audited(t, nil, []vault.Auditor{w})
				mustPut(t, op, bedPath, "value")
				start := time.Now()
				for range 10 {
					wantValue(t, op, bedPath, "value", 1)
				}
				if took := time.Since(start); took > time.Second {
					t.Errorf("10 Gets beside an observer that fails by %s took %s", name, took)
				}
				must(t, v.Close())
				time.Sleep(time.Minute) // virtual
			})
		})
	}
}

// TestObserverMetadata: the record that a sink is told is the line of the log, whatever the caller does with its map when
// its call has returned.
func TestObserverMetadata(t *testing.T) {
	gate, told := make(chan struct{}), make(chan string, 1)
	watcher := auditorFunc(func(_ context.Context, records []audit.Record) error {
		for _, r := range records {
			if r.Metadata != nil {
				<-gate
				told <- r.Metadata["k"]
			}
		}
		return nil
	})
	_, op := audited(t, nil, []vault.Auditor{watcher})
	mustPut(t, op, bedPath, "value")
	m := map[string]string{"k": "as it was"}
	_, err := op.Get(context.Background(), vault.Request{Path: bedPath, Metadata: m})
	must(t, err)
	m["k"] = "changed after the call"
	close(gate)
	if got := <-told; got != "as it was" {
		t.Errorf("the observer was told %q", got)
	}
}
