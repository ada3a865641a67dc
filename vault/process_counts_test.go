// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

func openFiles(t *testing.T) (dir string, v *vault.Vault, op *vault.Operator) {
	t.Helper()
	dir = t.TempDir()
	v, err := openDir(dir)
	must(t, err)
	t.Cleanup(func() { _ = v.Close() })
	op = v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	return dir, v, op
}

// TestProcessCounts: 100 uses among 8 processes of 8 to 64 goroutines are 100 uses.
func TestProcessCounts(t *testing.T) {
	dir, v, op := openFiles(t)
	s := mustIssue(t, op, reader(countLimit))
	var children []*process
	for i := range 8 {
		children = append(children, startChild(t, "count", dir, 8*(i+1), s.Token()))
	}
	for _, c := range children {
		if said := c.read(); said != "ready" {
			t.Fatal(said)
		}
	}
	for _, c := range children {
		c.send("go")
	}
	total := 0
	for _, c := range children {
		var n int
		if said := c.read(); said != "" {
			if _, err := fmt.Sscanf(said, "granted %d", &n); err != nil {
				t.Fatal(said)
			}
		}
		total += n
		must(t, c.end())
	}
	t.Logf("%d grants of %d uses, by 8 processes of 8 to 64 goroutines", total, countLimit)
	wantCounted(t, v, s, total)
	wantRefused(t, s, bedPath, vault.ErrDeadToken)
	// Records and counts of refusals are as many as attempts: each goroutine had one, and this process one.
	refused := 0
	for _, r := range logOf(t, v, audit.Filter{Outcome: audit.Denied}) {
		refused += max(1, r.Count)
	}
	if want := 8*(1+2+3+4+5+6+7+8) + 1; refused != want {
		t.Errorf("%d refusals are recorded or counted, want %d", refused, want)
	}
}

// TestProcessRevoke: what one process revokes or freezes the very next Get of another is refused.
func TestProcessRevoke(t *testing.T) {
	ctx := context.Background()
	dir, v, op := openFiles(t)
	s := mustIssue(t, op, reader(0))
	c := startChild(t, "get", dir, 0, s.Token())
	if said := c.read(); said != "ready" {
		t.Fatal(said)
	}
	frozen := vault.Frozen{Kind: "agent", Value: "researcher"}
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return nil }, "ok"},
		{func() error { return op.Freeze(ctx, frozen, "") }, "denied"},
		{func() error { return op.Thaw(ctx, frozen, "") }, "ok"},
		{func() error { return op.SetPolicy(ctx, bedPath, vault.Policy{Tier: vault.Critical}, "") }, "denied"},
		{func() error { return op.SetPolicy(ctx, bedPath, vault.Policy{}, "") }, "ok"},
		{func() error { return op.Revoke(ctx, linkOf(t, s), "") }, "dead"},
	} {
		must(t, step.do())
		if said := c.ask(); said != step.want {
			t.Errorf("the next Get in the other process: %s, want %s", said, step.want)
		}
	}
	must(t, c.end())
	verifies(t, v)
	if n := len(logOf(t, v, audit.Filter{Op: "get"})); n != 6 {
		t.Errorf("%d records of 6 Gets", n)
	}
}

// TestProcessStorePanic: a store of a user's own that panics fails the calls of that batch, not the program.
func TestProcessStorePanic(t *testing.T) {
	c := startChild(t, "panic", t.TempDir(), 0, vault.NewToken("none"))
	if said := c.read(); said != "survived" {
		t.Errorf("the child said %s", said)
	}
	must(t, c.end())
}
