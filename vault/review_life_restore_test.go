// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// TestRestoreLongLog: a backup whose first lines hold nothing but records comes back, into every store.
func TestRestoreLongLog(t *testing.T) {
	for name, open := range map[string]func() (vault.Store, error){
		"memory": func() (vault.Store, error) { return memory.New(), nil },
		"sqlite": func() (vault.Store, error) {
			return sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "vault.db"))
		},
		"file": func() (vault.Store, error) {
			return file.Open(t.Context(), filepath.Join(t.TempDir(), "vault"))
		},
	} {
		for _, archived := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				a := aged(t, 1)
				for range 1500 {
					if _, err := a.op.Get(context.Background(), vault.Request{Path: attackPath, Reason: strings.Repeat("r", 1000)}); err != nil {
						t.Fatal(err)
					}
				}
				if archived {
					a.clock.add(0)
					a.archiveDays(0)
				}
				text := backupOf(t, a.v)
				s, err := open()
				must(t, err)
				v, err := vault.Restore(t.Context(), vault.Config{Store: s, Root: attackRoot(1), Now: a.clock.now}, bytes.NewReader(text), "test")
				if err != nil {
					t.Fatal(err)
				}
				defer v.Close()
				verifies(t, v)
			})
		}
	}
}
