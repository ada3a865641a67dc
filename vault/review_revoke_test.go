// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// gone is the context of a caller that gives up when it begins to wait.
func gone() context.Context { return &goneContext{Context: context.Background()} }

// below is a made-up id below a link.
func below(link string) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return link + "." + hex.EncodeToString(b[:])
}

// held stops the next Update, before it or behind it, until release is called.
func held(p *tap, behind bool, outcome error) (entered chan struct{}, release func()) {
	entered, gate := make(chan struct{}), make(chan struct{})
	p.atUpdate(func(next func() error) (err error) {
		p.atUpdate(nil)
		if behind {
			err = next()
		}
		close(entered)
		<-gate
		if outcome != nil || behind {
			return errors.Join(err, outcome)
		}
		return next()
	})
	return entered, func() { close(gate) }
}

// TestReviewRevokeAbandoned: a Revoke whose caller has given up while it waits holds in this process at once, whatever
// becomes of it. Refusals above 20 a second are answered without a commit, so that they show what is decided meanwhile.
func TestReviewRevokeAbandoned(t *testing.T) {
	for _, outcome := range []error{nil, vault.ErrBusy} {
		synctest.Test(t, func(t *testing.T) {
			v, p := newBed(t).open()
			op := v.Operator("keeper")
			mustPut(t, op, bedPath, "value")
			s := mustIssue(t, op, reader(0))
			id := linkOf(t, s)
			entered, release := held(p, false, outcome)
			if _, err := op.Keys(gone()); !errors.Is(err, context.Canceled) {
				t.Errorf("Keys: %v", err)
			}
			<-entered
			if err := op.Revoke(gone(), id, "stolen"); !errors.Is(err, context.Canceled) {
				t.Errorf("Revoke: %v", err)
			}
			var err error
			for range 25 {
				_, err = s.Get(gone(), vault.Request{Path: bedPath})
			}
			if !errors.Is(err, vault.ErrDeadToken) {
				t.Errorf("Get behind a Revoke that waits: %v", err)
			}
			release()
			wantRefused(t, s, bedPath, vault.ErrDeadToken)
			if n := len(logOf(t, v, audit.Filter{Op: "get", Outcome: audit.Granted})); n != 0 {
				t.Errorf("%d values were released", n)
			}
			must(t, v.Close())
		})
	}
}

// fillQueue fills the queue while the committer is held: with large calls, then to the last byte. It returns how many
// large ones were taken.
func fillQueue(t *testing.T, op *vault.Operator) (taken int) {
	t.Helper()
	big := vault.NewSecret(strings.Repeat("x", 1<<20))
	for {
		_, err := op.Put(gone(), vault.Item{Path: fmt.Sprint("big/", taken), Value: big})
		if errors.Is(err, vault.ErrBusy) {
			break
		}
		if taken++; !errors.Is(err, context.Canceled) || taken > 200 {
			t.Fatalf("%d values of 1 MiB wait: %v", taken, err)
		}
	}
	for range 1 << 16 {
		if _, err := op.Keys(gone()); errors.Is(err, vault.ErrBusy) {
			return taken
		}
	}
	t.Fatal("the queue has no end")
	return 0
}

// TestReviewQueueBytes: what those who gave up have left in the queue is bounded by its size.
func TestReviewQueueBytes(t *testing.T) {
	v, p := newBed(t).open()
	op := v.Operator("keeper")
	entered, release := held(p, false, nil)
	if _, err := op.Keys(gone()); !errors.Is(err, context.Canceled) {
		t.Errorf("Keys: %v", err)
	}
	<-entered
	if n := fillQueue(t, op); n < 32 || n > 128 {
		t.Errorf("%d values of 1 MiB wait", n)
	}
	release()
	must(t, v.Close()) // it waits for the queue to be empty
}

// TestReviewDoomKept: a Revoke that failed while a use of the same link was being committed is not forgotten with that
// commit.
func TestReviewDoomKept(t *testing.T) {
	for name, revoke := range map[string]func(*testing.T, *vault.Operator, *tap, string) error{
		"queue full": func(t *testing.T, op *vault.Operator, _ *tap, id string) error {
			fillQueue(t, op)
			return op.Revoke(context.Background(), id, "")
		},
		"store error": func(_ *testing.T, op *vault.Operator, p *tap, id string) error {
			storeFaults()[0].once(p)
			return op.Revoke(gone(), id, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			v, p := b.open()
			op := v.Operator("keeper")
			mustPut(t, op, bedPath, "value")
			s := mustIssue(t, op, reader(1000))
			id := linkOf(t, s)
			entered, release := held(p, true, nil)
			if _, err := s.Get(gone(), vault.Request{Path: bedPath}); !errors.Is(err, context.Canceled) {
				t.Fatalf("Get: %v", err)
			}
			<-entered
			if err := revoke(t, op, p, id); err == nil {
				t.Error("Revoke gave no error")
			}
			release()
			for full := true; full; { // until there is room again
				_, err := op.Keys(context.Background())
				full = errors.Is(err, vault.ErrBusy)
			}
			wantRefused(t, s, bedPath, vault.ErrDeadToken)
			verifies(t, v)
		})
	}
}

// failingRevokes has a token revoke made-up ids below a link on a full disk until it is dead, and returns how many calls
// were not answered so. 20 refusals of a second are to be recorded and fail; the clock of the bubble stands.
func failingRevokes(t *testing.T, p *tap, s *vault.Session, link string, most int) (n int) {
	t.Helper()
	p.atUpdate(func(func() error) error { return syscall.ENOSPC })
	defer p.atUpdate(nil)
	for n < most {
		err := s.Revoke(context.Background(), below(link), "")
		if errors.Is(err, vault.ErrDeadToken) {
			return n
		}
		if n++; !errors.Is(err, vault.ErrNotRecorded) {
			t.Fatalf("Revoke: %v", err)
		}
	}
	return n
}

const mostDoomed = 1024

// TestReviewDoomBounded: a token that revokes what does not exist, on a full disk, ends itself.
func TestReviewDoomBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, p := newBed(t).open()
		op := v.Operator("keeper")
		mustPut(t, op, bedPath, "value")
		s, other := mustIssue(t, op, reader(0)), mustIssue(t, op, reader(0))
		if n := failingRevokes(t, p, s, linkOf(t, s), 10*mostDoomed); n <= mostDoomed || n > mostDoomed+21 {
			t.Errorf("dead after %d failed revocations", n)
		}
		wantRefused(t, s, bedPath, vault.ErrDeadToken)
		wantValue(t, other, bedPath, "value", 1)
		must(t, v.Close())
	})
}

// TestReviewDoomBoundedNarrowed: nor do narrowings, made without the vault, get around that.
func TestReviewDoomBoundedNarrowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, p := newBed(t).open()
		op := v.Operator("keeper")
		s := mustIssue(t, op, reader(0))
		p.atUpdate(func(func() error) error { return syscall.ENOSPC })
		for i := range 2 * mostDoomed {
			tok, err := s.Token().Narrow(vault.Grant{MaxUses: 1})
			must(t, err)
			child := v.Session(tok, noAddr)
			id := linkOf(t, child)
			if err := child.Revoke(t.Context(), id, ""); errors.Is(err, vault.ErrDeadToken) {
				if i > mostDoomed+21 {
					t.Errorf("the grant is dead after %d", i)
				}
				break
			} else if i == 2*mostDoomed-1 {
				t.Errorf("%d narrowings of one token are doomed one by one", i+1)
			}
		}
		p.atUpdate(nil)
		must(t, v.Close())
	})
}

// TestReviewDoomCleared: a Revoke that is committed, and a Thaw, take back what this process refused by itself.
func TestReviewDoomCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, p := newBed(t).open()
		op := v.Operator("keeper")
		mustPut(t, op, bedPath, "value")
		s := mustIssue(t, op, reader(0))
		link := linkOf(t, s)
		failingRevokes(t, p, s, link, mostDoomed-1)
		storeFaults()[0].once(p)
		again := below(link)
		if err := s.Revoke(t.Context(), again, ""); !errors.Is(err, vault.ErrNotRecorded) {
			t.Errorf("Revoke: %v", err)
		}
		must(t, op.Revoke(t.Context(), again, "")) // makes room for one
		failingRevokes(t, p, s, link, 1)
		wantValue(t, s, bedPath, "value", 1)
		frozen := vault.Frozen{Kind: "path", Value: bedPath}
		storeFaults()[0].once(p)
		if err := op.Freeze(t.Context(), frozen, ""); !errors.Is(err, vault.ErrNotRecorded) {
			t.Errorf("Freeze: %v", err)
		}
		wantRefused(t, s, bedPath, vault.ErrDenied)
		must(t, op.Thaw(t.Context(), frozen, ""))
		wantValue(t, s, bedPath, "value", 1)
		failingRevokes(t, p, s, link, 1)
		wantRefused(t, s, bedPath, vault.ErrDeadToken)
		must(t, v.Close())
	})
}

func listOnly() vault.Grant {
	return vault.Grant{Agent: "a", Scopes: scope.MustParse("secrets:list:nothing")}
}

// TestReviewRevokeMany: a token makes at most 1,024 rows by revoking, and can still end itself.
func TestReviewRevokeMany(t *testing.T) {
	v, _ := newBed(t).open()
	op := v.Operator("keeper")
	s, other := mustIssue(t, op, listOnly()), mustIssue(t, op, listOnly())
	link := linkOf(t, s)
	for range 1024 {
		must(t, s.Revoke(t.Context(), below(link), ""))
	}
	if err := s.Revoke(t.Context(), below(link), ""); !errors.Is(err, vault.ErrDenied) || errors.Is(err, vault.ErrDeadToken) {
		t.Errorf("Revoke of one more: %v", err)
	}
	wantLast(t, v, audit.Filter{Op: "revoke"}, audit.Denied, "too_many")
	must(t, other.Revoke(t.Context(), below(linkOf(t, other)), ""))
	must(t, s.Revoke(t.Context(), link, ""))
	if err := s.Revoke(t.Context(), link, ""); !errors.Is(err, vault.ErrDeadToken) {
		t.Errorf("a second time: %v", err)
	}
}

// TestReviewRevokeManyNarrowed: nor do narrowings that revoke themselves get around that.
func TestReviewRevokeManyNarrowed(t *testing.T) {
	b := newBed(t)
	v, _ := b.open()
	s := mustIssue(t, v.Operator("keeper"), listOnly())
	for range 1100 {
		tok, err := s.Token().Narrow(vault.Grant{MaxUses: 1})
		must(t, err)
		child := v.Session(tok, noAddr)
		_ = child.Revoke(t.Context(), linkOf(t, child), "")
	}
	wantTokenRows(t, b, 1025)
}

// TestReviewRevokeManyAtOnce: nor do revocations that are committed together.
func TestReviewRevokeManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		v, p := b.open()
		op := v.Operator("keeper")
		s := mustIssue(t, op, listOnly())
		link := linkOf(t, s)
		for range 100 {
			must(t, s.Revoke(t.Context(), below(link), ""))
		}
		entered, release := held(p, false, nil)
		go func() { _, _ = op.Keys(context.Background()) }()
		<-entered
		for range 2000 {
			go func() { _ = s.Revoke(context.Background(), below(link), "") }()
		}
		synctest.Wait() // all of them are in the queue
		release()
		synctest.Wait()
		wantTokenRows(t, b, 1024)
		must(t, v.Close())
	})
}

// wantTokenRows checks that there are at most so many rows of links.
func wantTokenRows(t *testing.T, b *bed, most int) {
	t.Helper()
	rows, err := b.store.Rows(t.Context(), "t:", 5000)
	must(t, err)
	n := 0
	for _, r := range rows {
		if strings.HasPrefix(r.Key, "t:") {
			n++
		}
	}
	if n > most {
		t.Errorf("%d rows of one grant, want at most %d", n, most)
	}
}
