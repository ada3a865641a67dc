// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// What every harness must say. An expression that matches anything would find any bug.
func TestHarnesses(t *testing.T) {
	names := map[string]bool{}
	for _, h := range harnesses {
		switch {
		case h.Name == "" || names[h.Name]:
			t.Errorf("the name %q is not one of its own", h.Name)
		case h.About == "" || h.Bug == "" || h.Unit == "" || len(h.Stores) == 0 || h.Short < 1 || h.Long < h.Short || h.Run == nil:
			t.Errorf("%s: something is missing: %+v", h.Name, h)
		case h.BugSays == nil || h.BugSays.MatchString("") || h.BugSays.MatchString("stored data was changed") || h.BugSays.MatchString("store was rolled back"):
			t.Errorf("%s: BugSays is missing, or matches too much", h.Name)
		}
		names[h.Name] = true
	}
}
