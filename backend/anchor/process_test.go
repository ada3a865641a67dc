// SPDX-License-Identifier: Apache-2.0

package anchor_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/anchor"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// The test that needs other processes runs this test binary again, with the path of a store.
const childPath = "KEYWARD_ANCHOR_PATH"

func TestMain(m *testing.M) {
	path := os.Getenv(childPath)
	if path == "" {
		os.Exit(m.Run())
	}
	s, err := sqlite.Open(context.Background(), path)
	if err == nil {
		err = errors.Join(race(s), s.Close())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

const steps = 4

// race moves both anchors of a store on, in eight goroutines beside whoever else does, until they are at steps.
func race(s vault.Store) error {
	errs := make([]error, 8)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			a := anchor.In(s, names[i%2])
			var at audit.Head
			for at.Size < steps {
				var err error
				if at, err = a.Load(context.Background()); err == nil && at.Size < steps {
					err = a.Advance(context.Background(), at, head(at.Size+1, byte(i+1)))
				}
				if err != nil && !errors.Is(err, vault.ErrConflict) {
					errs[i] = err
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// Two processes of eight goroutines, in a store that both find empty: nobody is told that it was rolled back.
func TestMarkProcesses(t *testing.T) {
	open := inFiles(t)["sqlite"]
	for range 4 {
		path := filepath.Join(t.TempDir(), "anchors")
		var children [2]*exec.Cmd
		for i := range children {
			children[i] = exec.Command(os.Args[0])
			children[i].Env = append(os.Environ(), childPath+"="+path)
		}
		var group sync.WaitGroup
		for _, c := range children {
			group.Go(func() {
				if out, err := c.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			})
		}
		group.Wait()
		s := open.at(t, path)
		for _, name := range names {
			h, err := anchor.In(s, name).Load(t.Context())
			if err != nil || h.Size != steps {
				t.Errorf("%s is at %d, %v", name, h.Size, err)
			}
		}
	}
}

// Goroutines of one process, in a store that all find empty.
func TestMarkRace(t *testing.T) {
	for kind, open := range inFiles(t) {
		for range 4 {
			if err := race(open.at(t, filepath.Join(t.TempDir(), "anchors"))); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}
