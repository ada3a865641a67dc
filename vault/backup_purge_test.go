// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

// TestBackupWhilePurged: rows of dead tokens that are purged, or killed by a reset, after they were copied are not those of the
// head of the backup, and no harm.
func TestBackupWhilePurged(t *testing.T) {
	for name, meanwhile := range map[string]func(*testing.T, *vault.Operator, *steppedClock){
		"purge": func(t *testing.T, op *vault.Operator, clock *steppedClock) {
			clock.add(2 * time.Hour)
			mustIssue(t, op, reader(1)) // this process learns of the rows
			mustIssue(t, op, reader(1))
		},
		"reset": func(t *testing.T, op *vault.Operator, clock *steppedClock) {
			clock.add(-time.Hour)
			if err := op.ResetClock(t.Context(), "test"); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, clock := newBed(t), newSteppedClock()
			v, p := b.open(clock.use)
			other, _ := b.open(clock.use)
			op := v.Operator("keeper")
			mustPut(t, op, bedPath, "value")
			usedTokens(t, op, 1024, time.Hour)
			done := false
			p.atRows(func(from string) error {
				if from == "" && !done { // the deciding rows are being copied
					done = true
					p.onceBefore(func() { meanwhile(t, other.Operator("keeper"), clock) })
				}
				return nil
			})
			var w bytes.Buffer
			err := op.Backup(t.Context(), &w, "test")
			if name == "reset" { // it brings other keys
				if err == nil {
					t.Error("backed up across a change of keys")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := len(logOf(t, v, audit.Filter{Op: "purge"})); n != 1 {
				t.Fatalf("%d purges", n)
			}
			cfg := vault.Config{Store: unclosed{memory.New()}, Root: b.root, Now: clock.Now}
			restored, err := vault.Restore(t.Context(), cfg, &w, "test")
			if err != nil {
				t.Fatal(err)
			}
			wantValue(t, restored.Operator("keeper"), bedPath, "value", 1)
			if err := restored.Close(); err != nil {
				t.Fatal(err)
			}
			again, err := vault.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			wantValue(t, again.Operator("keeper"), bedPath, "value", 1)
		})
	}
}
