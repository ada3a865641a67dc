// SPDX-License-Identifier: Apache-2.0

package counts

import (
	"errors"
	"fmt"
	"testing"

	"github.com/keyward-go/keyward/harness/internal/kit"
)

// one is a call that is over before the next begins, with a record.
func one(op, out string) event { return event{Op: op, Out: out, place: -1} }

// counted is one without a record of its own.
func counted(op, out string) event { return event{Op: op, Out: out} }

func uses(n int) (all []event) {
	for range n {
		all = append(all, one(opUse, granted))
	}
	return all
}

// The model allows what a vault may answer, and nothing else.
func TestModel(t *testing.T) {
	for _, c := range []struct {
		name  string
		good  bool
		calls []event
	}{
		{"all uses", true, append(uses(maxUses), one(opUse, dead))},
		{"one use too many", false, uses(maxUses + 1)},
		{"dead too early", false, append(uses(maxUses-1), one(opUse, dead))},
		{"dead too early, not recorded", false, append(uses(maxUses-1), counted(opUse, dead))},
		{"revoked", true, []event{one(opUse, granted), one(opRevoke, granted), one(opUse, dead), one(opRevoke, granted), one(opOwn, dead)}},
		{"used when revoked", false, []event{one(opRevoke, granted), one(opUse, granted)}},
		{"used when it revoked itself", false, []event{one(opOwn, granted), one(opUse, granted)}},
		{"revokes itself when dead", false, []event{one(opRevoke, granted), one(opOwn, granted)}},
		{"frozen and thawed", true, []event{one(opFreeze, granted), one(opUse, denied), one(opThaw, granted), one(opUse, granted)}},
		{"used when frozen", false, []event{one(opFreeze, granted), one(opUse, granted)}},
		{"denied when thawed", false, []event{one(opFreeze, granted), one(opThaw, granted), one(opUse, denied)}},
		{"counted as denied when thawed", true, []event{one(opFreeze, granted), one(opThaw, granted), counted(opUse, denied)}},
		{"counted as denied, never frozen", false, []event{counted(opUse, denied)}},
		{"denied when dead", false, []event{one(opFreeze, granted), one(opRevoke, granted), one(opUse, denied)}},
		{"thawed twice", true, []event{one(opFreeze, granted), one(opThaw, granted), one(opThaw, missing)}},
		{"nothing to thaw when frozen", false, []event{one(opFreeze, granted), one(opThaw, missing)}},
		{"unknown", false, []event{one(opUse, missing)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			place, use := 0, 0
			var history []*event
			for i := range c.calls {
				e := &c.calls[i]
				e.Call, e.Return = int64(10*i), int64(10*i+5)
				if e.place < 0 {
					place++
					e.place = place
				}
				if e.Op == opUse && e.Out == granted {
					use++
					e.Use = use
				}
				history = append(history, e)
			}
			if err := explain(token{}, history); (err == nil) != c.good {
				t.Error(err)
			}
		})
	}
}

// Calls that overlap may have happened in any order; the log says in which.
func TestOrder(t *testing.T) {
	for _, c := range []struct {
		name                  string
		overlap, turned, good bool
	}{
		{"as the log says", false, false, true},
		{"against the log", false, true, false},
		{"at once", true, false, true},
		{"at once, the log turned", true, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := event{Op: opUse, Out: granted, Call: 0, Return: 10, Use: 1, place: 1}, event{Op: opUse, Out: granted, Call: 20, Return: 30, Use: 2, place: 2}
			if c.overlap {
				b.Call = 5
			}
			if c.turned {
				a.Use, a.place, b.Use, b.place = 2, 2, 1, 1
			}
			err := explain(token{}, []*event{&a, &b})
			var broken *kit.Violation
			if c.good != (err == nil) || !c.good && !errors.As(err, &broken) {
				t.Error(fmt.Sprint("says ", err))
			}
		})
	}
}
