// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// life makes a vault under a root, puts values into it, and copies its files as a crash and as Close would leave them, and
// the log of SQLite as it was when the first half was put.
func life(t *testing.T, root vault.RootKey, name string) (crashed, closed, old string, checkpoint []byte) {
	t.Helper()
	s, path := openNew(t)
	v, err := vault.Open(t.Context(), vault.Config{Store: s, Root: root})
	if err != nil {
		t.Fatal(err)
	}
	for i := range puts {
		if i == puts/2 {
			old = copyTo(t, path, t.TempDir(), "-wal")
		}
		it := vault.Item{Path: "a/b", Value: vault.NewSecret(fmt.Sprint(name, i)), Reason: "test"}
		if _, err := v.Operator("tests").Put(t.Context(), it); err != nil {
			t.Fatal(err)
		}
	}
	if checkpoint, err = v.Log().Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	crashed = copyTo(t, path, t.TempDir(), "", "-wal", "-head")
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	return crashed, copyTo(t, path, t.TempDir(), "", "-head"), old, checkpoint
}

const puts = 20

// With a log of SQLite beside it that is another vault's, an old one or damaged, a vault refuses to open or has all that it
// had.
func TestForeignLog(t *testing.T) {
	root := kms.KeyFile(filepath.Join(t.TempDir(), "root.key"))
	crashed, closed, old, checkpoint := life(t, root, "value ")
	otherCrashed, _, otherOld, _ := life(t, root, "other ")
	read := func(path string) []byte {
		b, err := os.ReadFile(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	own, other := read(crashed), read(otherCrashed)
	refused := 0
	for name, c := range map[string]struct {
		store string
		wal   []byte
	}{
		"closed, its own":              {closed, own},
		"closed, another's":            {closed, other},
		"closed, an old one":           {closed, read(old)},
		"closed, another's old one":    {closed, read(otherOld)},
		"closed, garbage":              {closed, bytes.Repeat([]byte("garbage "), 4096)},
		"crashed, its own":             {crashed, own},
		"crashed, another's":           {crashed, other},
		"crashed, an old one":          {crashed, read(old)},
		"crashed, another's old one":   {crashed, read(otherOld)},
		"crashed, its own and another": {crashed, append(bytes.Clone(own), other...)},
		"crashed, half its own":        {crashed, own[:len(own)/2]},
		"crashed, another's beginning": {crashed, append(bytes.Clone(other[:len(other)/2]), own[min(len(own), len(other)/2):]...)},
		"crashed, empty":               {crashed, nil},
	} {
		path := copyTo(t, c.store, t.TempDir(), "", "-head")
		if err := os.WriteFile(path+"-wal", c.wal, 0o600); err != nil {
			t.Fatal(err)
		}
		err := func() error {
			s, err := sqlite.Open(t.Context(), path)
			if err != nil {
				return err
			}
			defer s.Close()
			v, err := vault.Open(t.Context(), vault.Config{Store: s, Root: root})
			if err != nil {
				return err
			}
			defer v.Close()
			it, err := v.Operator("tests").Get(t.Context(), vault.Request{Path: "a/b"})
			if want := fmt.Sprint("value ", puts-1); err != nil || it.Value.Reveal() != want || it.Version != puts {
				t.Errorf("%s: it opened, and reads %q, %v", name, it.Value.Reveal(), err)
			}
			if err := v.Log().Verify(t.Context(), checkpoint); err != nil {
				t.Errorf("%s: it opened, and its log: %v", name, err)
			}
			return nil
		}()
		t.Logf("%s: %v", name, err)
		if err != nil {
			refused++
		}
		if err != nil && !errors.Is(err, vault.ErrTampered) && !errors.Is(err, vault.ErrRollback) {
			t.Errorf("%s: %v, want ErrTampered or ErrRollback", name, err)
		}
	}
	if refused < 5 {
		t.Errorf("only %d were refused", refused)
	}
}
