// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package file_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

func openVault(t *testing.T, path string) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), vault.Config{Store: openAt(t, path), Root: kms.KeyFile(filepath.Join(filepath.Dir(path), "root.key"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// A vault lives in a journal through reopens and compactions: its values, its counts, its log and the proof of it.
func TestVault(t *testing.T) {
	path, ctx := newPath(t), context.Background()
	v := openVault(t, path)
	op := v.Operator("tests")
	for i := range 5 {
		it := vault.Item{Path: "a/b", Value: vault.NewSecret(fmt.Sprint("value-", i)), Reason: "round trip"}
		if _, err := op.Put(ctx, it); err != nil {
			t.Fatal(err)
		}
	}
	s, err := op.Issue(ctx, vault.Grant{Agent: "reader", Scopes: scope.MustParse("secrets:read:a/*"), TTL: time.Hour, MaxUses: 3})
	if err != nil {
		t.Fatal(err)
	}
	tok, earlier := s.Token(), []byte(nil)
	for round := range 4 {
		it, err := v.Session(tok, netip.Addr{}).Get(ctx, vault.Request{Path: "a/b", Reason: "round trip"})
		if round < 3 && (err != nil || it.Value.Reveal() != "value-4") {
			t.Fatalf("round %d: %v", round, err)
		}
		if round == 3 && !errors.Is(err, vault.ErrDeadToken) {
			t.Fatalf("a fourth use of three: %v", err)
		}
		if err := v.Log().Verify(ctx, earlier); earlier != nil && err != nil {
			t.Fatal(err)
		}
		if earlier, err = v.Log().Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		compactAt(t, path)
		v = openVault(t, path)
	}
	n := 0
	for r, err := range v.Log().Records(ctx, audit.Filter{Agent: "reader"}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Op == "get" {
			n++
		}
	}
	if n != 4 {
		t.Errorf("%d records of get, want 4", n)
	}
	v.Close()
	text := read(t, path)
	if strings.Contains(text, "value-") || strings.Contains(text, tok.Reveal()) {
		t.Error("a value or a token is in the journal")
	}

	// An old row put back, with good checksums: the store cannot know, the vault does.
	lines := strings.SplitAfter(text, "\n")
	var bodies []string
	for _, l := range lines[:len(lines)-1] {
		bodies = append(bodies, l[:strings.LastIndexByte(l, ' ')])
	}
	for i := range bodies {
		bodies[i] = strings.Replace(bodies[i], `"uses":3`, `"uses":0`, 1)
	}
	forged := put(t, string(file.Reseal(bodies...)), read(t, path+"-head"))
	root := kms.KeyFile(filepath.Join(filepath.Dir(path), "root.key"))
	if _, err := vault.Open(ctx, vault.Config{Store: openAt(t, forged), Root: root}); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("a forged count: %v", err)
	}
}

// compactAt compacts a closed journal.
func compactAt(t *testing.T, path string) {
	t.Helper()
	s := openAt(t, path)
	rows, err := s.Rows(t.Context(), "head", 1)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	s.Compact()
	commit(t, s, vault.Batch{First: size(t, s), Rows: rows}) // the row as it stands
	if s.Wasted() != 0 {
		t.Fatal("nothing was compacted")
	}
	s.Close()
}
