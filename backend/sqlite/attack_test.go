// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// The first mark is on the disk when its Update returns: a head file without one, beside a log, is what a rollback leaves.
func TestFirstMarkIsSynced(t *testing.T) {
	var steps []string
	s, err := sqlite.OpenFaulty(t.Context(), filepath.Join(t.TempDir(), "a.db"), func(step string) error {
		if step == "commit" || step == "mark" || step == "sync head" {
			steps = append(steps, step)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, want := range [][]string{{"commit"}, {"commit", "mark", "sync head"}, {"commit", "mark"}} {
		steps = nil
		err := s.Update(t.Context(), 0, func([]vault.Row) (vault.Batch, error) {
			b := vault.Batch{First: int64(i), Lines: [][]byte{[]byte("l")}}
			if i > 0 {
				b.Mark = fmt.Append(nil, i)
			}
			return b, nil
		})
		if err != nil || !slices.Equal(steps, want) {
			t.Errorf("commit %d did %q, %v; want %q", i, steps, err, want)
		}
	}
}
