// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/keyward-go/keyward/vault"
)

// readCounter counts the reads of a store.
type readCounter struct {
	vault.Store
	reads atomic.Int64
}

func (s *readCounter) Rows(ctx context.Context, from string, n int) ([]vault.Row, error) {
	s.reads.Add(1)
	return s.Store.Rows(ctx, from, n)
}

func (s *readCounter) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	s.reads.Add(1)
	return s.Store.Lines(ctx, from, n)
}

// TestStrangersReadNothing: whoever has no valid credential is refused without a look into the store.
func TestStrangersReadNothing(t *testing.T) {
	b := newBed(t)
	v, p := b.open()
	counter := &readCounter{Store: b.store}
	p.Store = counter
	mustPut(t, v.Operator("keeper"), bedPath, "value")
	good := mustIssue(t, v.Operator("keeper"), reader(0))
	from := netip.MustParseAddr("192.0.2.1")
	text := good.Token().Reveal()
	counter.reads.Store(0)
	for i := range 300 { // some are recorded, the others counted
		forged := []byte(text)
		forged[len("kw_tok_")+20+i%20] ^= 1
		for _, cred := range []string{string(forged), "", "kw_tok_", "kw_agent_" + text[len("kw_tok_"):]} {
			wantRefused(t, v.Session(vault.NewToken(cred), from), bedPath, vault.ErrDeadToken)
		}
	}
	if n := counter.reads.Load(); n != 0 {
		t.Errorf("the store was read %d times", n)
	}
	other, p := b.open() // it has nothing in its cache
	p.Store = counter
	wantValue(t, at(other, good), bedPath, "value", 1)
	if counter.reads.Load() == 0 {
		t.Error("the count sees no read of a granted call: it proves nothing")
	}
}

// TestRootNotAsked: the root is asked when the vault is opened, and not on the path of a call.
func TestRootNotAsked(t *testing.T) {
	b := newBed(t)
	root := &fickleRoot{RootKey: b.root}
	v, _ := b.open(withRoot(root))
	asked := root.asked.Load()
	if asked == 0 {
		t.Error("the count sees no question at the opening: it proves nothing")
	}
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	s := mustIssue(t, op, reader(3))
	wantValue(t, s, bedPath, "value", 1)
	wantValue(t, op, bedPath, "value", 1)
	if err := s.Revoke(t.Context(), linkOf(t, s), "done"); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, s, bedPath, vault.ErrDeadToken)
	verifies(t, v)
	if n := root.asked.Load() - asked; n != 0 {
		t.Errorf("the root was asked %d times", n)
	}
}
