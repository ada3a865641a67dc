// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"testing"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// TestClockOpenedFarAhead: a vault that was opened while its clock was centuries ahead, and has recorded nothing then, goes
// by the clock again once that is right. The difference is more than a time.Duration can say.
func TestClockOpenedFarAhead(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	right := now
	clock := func(c *vault.Config) { c.Now = func() time.Time { return now } }
	b := newBed(t)
	v, _ := b.open(clock)
	mustPut(t, v.Operator("keeper"), bedPath, "value")
	s := mustIssue(t, v.Operator("keeper"), reader(0))
	now = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	late, _ := b.open(clock)
	now = right
	wantValue(t, at(late, s), bedPath, "value", 1)
	wantValue(t, s, bedPath, "value", 1)
	verifies(t, late)
}
