// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"slices"
	"testing"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// broken is a store that breaks one rule, and the case that must find it.
type broken struct {
	rule  string // name of the case
	fault string
	bend  func() bend
}

// A suite that finds nothing proves nothing: each rule is broken, and the case for the rule must say so.
func TestBrokenStoresFail(t *testing.T) {
	all := slices.Concat(brokenReads, brokenUpdates, brokenWaits, brokenLives, brokenMarks)
	for _, b := range all {
		i := slices.IndexFunc(cases, func(c testCase) bool { return c.name == b.rule })
		if i < 0 {
			t.Fatalf("no case is named %q", b.rule)
		}
		t.Run(b.rule+"/"+b.fault, func(t *testing.T) {
			t.Parallel()
			bend, good := b.bend(), newDisks().open
			s := suite{patience: 500 * time.Millisecond, open: func(dir string) (vault.Store, error) {
				s, err := good(dir)
				return bend(s), err
			}}
			err := s.try(cases[i], t.TempDir())
			if _, skipped := err.(skip); err == nil || skipped {
				t.Fatalf("the broken store passes: %v", err)
			}
			t.Log(err)
		})
	}
	for _, c := range cases {
		if c.name == "wait/busy" {
			continue // ten seconds
		}
		if !slices.ContainsFunc(all, func(b broken) bool { return b.rule == c.name }) {
			t.Errorf("no store breaks %q", c.name)
		}
	}
}
