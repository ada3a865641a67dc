// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"errors"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// TestReady: a vault is ready as long as it grants, and asking leaves no record.
func TestReady(t *testing.T) {
	want := func(what string, v *vault.Vault, want error) {
		t.Helper()
		if err := v.Ready(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	b := newBed(t)
	v, tap := b.open()
	want("open", v, nil)
	n := len(logOf(t, v, audit.Filter{}))
	tap.atUpdate(func(func() error) error { return vault.ErrBusy })
	want("its store is busy", v, vault.ErrBusy)
	tap.atUpdate(nil)
	want("it is not any more", v, nil)
	if now := len(logOf(t, v, audit.Filter{})); now != n {
		t.Errorf("asking has left %d records", now-n)
	}
	other, _ := b.open()
	if err := other.Operator("keeper").SetRoot(t.Context(), seededRoot(t, 99), "a test"); err != nil {
		t.Fatal(err)
	}
	want("another root", v, vault.ErrWrongKey)
	want("the one that has it", other, nil)
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	want("closed", other, vault.ErrClosed)
	want("its clock was ahead", newLeap(t).v, vault.ErrClock)
}
