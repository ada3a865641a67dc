// SPDX-License-Identifier: Apache-2.0

package anchor_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/anchor"
	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// The file of the anchors is lost, its head file is not: that is no new place, in which every history would fit.
func TestLostStore(t *testing.T) {
	for name, open := range map[string]func(path string) (vault.Store, error){
		"sqlite": func(path string) (vault.Store, error) { return sqlite.Open(t.Context(), path) },
		"file":   func(path string) (vault.Store, error) { return file.Open(t.Context(), path) },
	} {
		path := filepath.Join(t.TempDir(), "anchors")
		s, err := open(path)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skipf("no %s here: %v", name, err)
		}
		if err != nil {
			t.Fatal(err)
		}
		advance(t, anchor.In(s, origin), audit.Head{}, head(7, 1), nil)
		if err := errors.Join(s.Close(), os.Remove(path)); err != nil {
			t.Fatal(err)
		}
		if s, err = open(path); err == nil {
			h, _ := anchor.In(s, origin).Load(t.Context())
			t.Errorf("%s: opened, and holds size %d of 7", name, h.Size)
			_ = s.Close()
		} else if !errors.Is(err, vault.ErrRollback) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
