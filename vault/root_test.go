// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/vault"
)

// mustNotOpen checks that a root does not open what a bed holds, and that trying changes no byte.
func (b *bed) mustNotOpen(root vault.RootKey) {
	b.t.Helper()
	before := dumpOf(b.t, b.store)
	_, err := vault.Open(context.Background(), vault.Config{Store: &tap{Store: b.store}, Root: root})
	if !errors.Is(err, vault.ErrWrongKey) {
		b.t.Errorf("Open with another root: %v", err)
	}
	if !before.equal(dumpOf(b.t, b.store)) {
		b.t.Error("Open with another root has changed the store")
	}
}

func TestSetRoot(t *testing.T) {
	ctx := context.Background()
	bed := newBed(t)
	former, next := bed.root, seededRoot(t, 2)
	v, _ := bed.open()
	stale, _ := bed.open()
	ready, _ := bed.open(withRoot(kms.Either(next, former)))
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "one")
	s := mustIssue(t, op, reader(0))
	wantValue(t, at(stale, s), bedPath, "one", 1)
	wantValue(t, at(ready, s), bedPath, "one", 1)
	keys := vault.ShowKeys(v)
	bed.mustNotOpen(next)
	must(t, op.SetRoot(ctx, next, "a new key service"))
	wantLast(t, v, audit.Filter{Op: "root"}, audit.Granted, "")
	bed.mustNotOpen(former)
	if after := vault.ShowKeys(v); after.Generation != keys.Generation+1 || after.Wraps[0] != keys.Wraps[0] || after.Tokens[0] != keys.Tokens[0] {
		t.Errorf("keys %+v, then %+v", keys, after)
	}
	wantValue(t, s, bedPath, "one", 1)
	wantValue(t, at(ready, s), bedPath, "one", 1)
	size := len(dumpOf(t, bed.store).lines)
	for range 2 {
		wantRefused(t, at(stale, s), bedPath, vault.ErrNotRecorded)
		wantRefused(t, stale.Operator("keeper"), bedPath, vault.ErrWrongKey)
	}
	if n := len(dumpOf(t, bed.store).lines); n != size {
		t.Errorf("%d records of a process without the root", n-size)
	}
	// What is sealed later is sealed under the new root.
	rotate(t, op, false)
	bed.mustNotOpen(former)
	bed.root = next
	again, _ := bed.open()
	wantRotated(t, again)
	wantValue(t, again.Operator("keeper"), bedPath, "one", 1)
	wantValue(t, at(ready, s), bedPath, "one", 1)
	verifies(t, again)
}

// TestSetRootEither: a vault that was given two roots opens with either, also after its keys were rotated, and a key file
// among them is made then.
func TestSetRootEither(t *testing.T) {
	bed := newBed(t)
	file := filepath.Join(t.TempDir(), "spare.key")
	v, _ := bed.open()
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "one")
	must(t, op.SetRoot(context.Background(), kms.Either(bed.root, kms.KeyFile(file)), "a spare"))
	rotate(t, op, false)
	bed.mustNotOpen(kms.Either(seededRoot(t, 3)))
	for _, root := range []vault.RootKey{kms.Either(bed.root), kms.Either(seededRoot(t, 3), kms.KeyFile(file))} {
		again, _ := bed.open(withRoot(root))
		wantValue(t, again.Operator("keeper"), bedPath, "one", 1)
		wantRotated(t, again)
	}
}

// closedRoot seals and does not open, as a key that may encrypt but not decrypt.
type closedRoot struct{ vault.RootKey }

func (closedRoot) DecryptWithContext(context.Context, []byte, []byte) ([]byte, error) {
	return nil, vault.ErrWrongKey
}

// lyingRoot opens as something else.
type lyingRoot struct{ vault.RootKey }

func (r lyingRoot) DecryptWithContext(ctx context.Context, c, data []byte) ([]byte, error) {
	b, err := r.RootKey.DecryptWithContext(ctx, c, data)
	if err == nil {
		b[len(b)-1] ^= 1
	}
	return b, err
}

type panickingRoot struct{ vault.RootKey }

func (panickingRoot) EncryptWithContext(context.Context, []byte, []byte) ([]byte, error) {
	panic("the root")
}

// TestSetRootRefused: a root that cannot open what it seals does not become the root.
func TestSetRootRefused(t *testing.T) {
	ctx := context.Background()
	bed := newBed(t)
	v, _ := bed.open()
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "one")
	before := dumpOf(t, bed.store).row("keyring")
	for name, c := range map[string]struct {
		root vault.RootKey
		want error
	}{
		"nil": {nil, vault.ErrInvalid}, "seals, does not open": {closedRoot{attackRoot(2)}, vault.ErrWrongKey}, "opens as something else": {lyingRoot{attackRoot(2)}, vault.ErrKMSUnavailable},
		"panics": {panickingRoot{attackRoot(2)}, vault.ErrKMSUnavailable},
	} {
		err := op.SetRoot(ctx, c.root, "")
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := dumpOf(t, bed.store).row("keyring"); !sameRow(before, after) {
		t.Error("the keyring has changed")
	}
	wantValue(t, op, bedPath, "one", 1)
	again, _ := bed.open()
	wantValue(t, again.Operator("keeper"), bedPath, "one", 1)
}

// TestSetRootUnknown: if the outcome of the commit is unknown, the vault goes on with whichever root the store has.
func TestSetRootUnknown(t *testing.T) {
	for _, f := range storeFaults() {
		t.Run(f.name, func(t *testing.T) {
			bed := newBed(t)
			v, p := bed.open()
			op := v.Operator("keeper")
			mustPut(t, op, bedPath, "one")
			f.once(p)
			if err := op.SetRoot(context.Background(), attackRoot(2), ""); !errors.Is(err, vault.ErrNotRecorded) {
				t.Errorf("SetRoot: %v", err)
			}
			if f.committed {
				bed.root = attackRoot(2)
			}
			wantValue(t, op, bedPath, "one", 1)
			rotate(t, op, false)
			again, _ := bed.open()
			wantValue(t, again.Operator("keeper"), bedPath, "one", 1)
		})
	}
}
