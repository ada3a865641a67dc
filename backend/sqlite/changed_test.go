// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// One batch writes a row twice, the second time as of an earlier of its lines: it is a row of that line, and of no other.
func TestRowWrittenTwiceInABatch(t *testing.T) {
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows := []vault.Row{{Key: "k", Seq: 1, Data: []byte("1")}, {Key: "k", Seq: 0, Data: []byte("2")}}
	if err := s.Update(t.Context(), 0, func([]vault.Row) (vault.Batch, error) {
		return vault.Batch{Lines: [][]byte{[]byte("a"), []byte("b")}, Rows: rows}, nil
	}); err != nil {
		t.Fatal(err)
	}
	for since, want := range []int{1, 0, 0} {
		err := s.Update(t.Context(), int64(since), func(changed []vault.Row) (vault.Batch, error) {
			if len(changed) != want {
				t.Errorf("since %d: %v, want %d rows", since, changed, want)
			}
			return vault.Batch{}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
