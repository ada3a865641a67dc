// SPDX-License-Identifier: Apache-2.0

package counts

import (
	"context"
	"errors"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

var errUndecided = errors.New("porcupine found no answer in time")

type tally struct{ calls, grants, refusals, histories int }

// check holds the calls of one vault's life against the model, and adds them up.
func check(ctx context.Context, v *vault.Vault, j job, events []event, t *tally) error {
	counted, err := recorded(ctx, v, events)
	if err != nil {
		return err
	}
	of := map[string][]*event{}
	for i := range events {
		e := &events[i]
		of[e.Link] = append(of[e.Link], e)
	}
	for _, tokens := range j.Rounds {
		for _, token := range tokens {
			if err := explain(token, of[token.Link]); err != nil {
				return err
			}
			t.histories++
		}
	}
	for _, tokens := range j.Rounds {
		for _, token := range tokens {
			grants := 0
			for _, e := range of[token.Link] {
				t.calls++
				switch {
				case e.Op == opUse && e.Out == granted:
					grants++
				case e.Out != granted:
					t.refusals++
					if e.place == 0 {
						counted--
					}
				}
			}
			if t.grants += grants; grants > maxUses || token.Kind == "" && grants != maxUses {
				return kit.Violationf("token %s (%s) was granted %d times, want %d", token.Link, about(token), grants, maxUses)
			}
		}
	}
	if counted != 0 {
		return kit.Violationf("refusals without a record of their own, less those that are counted in the log: %d", -counted)
	}
	return nil
}

// recorded verifies the log and finds the record of each call. It returns how many refusals the log only counts.
func recorded(ctx context.Context, v *vault.Vault, events []event) (counted int, err error) {
	if err := v.Log().Verify(ctx); err != nil {
		return 0, kit.Violationf("the log does not verify: %v", err)
	}
	byID, places := map[string]*event{}, map[string]int{}
	for i := range events {
		byID[events[i].ID] = &events[i]
	}
	for r, err := range v.Log().Records(ctx, audit.Filter{}) {
		if err != nil {
			return 0, kit.Violationf("reading the log: %v", err)
		}
		if r.Op == "denials" {
			counted += r.Count
			continue
		}
		e := byID[r.Call]
		if e == nil {
			e = byID[r.Reason]
		}
		if e == nil {
			continue // made by the parent
		}
		if e.place > 0 || (r.Outcome == audit.Granted) != (e.Out == granted) {
			return 0, kit.Violationf("call %s: the record %s does not say what its caller saw: %s", e.ID, r, e.Out)
		}
		counts := e.Op == opUse && r.Outcome == audit.Granted && r.Token != "" // the seeded bug has an operator get it
		if counts && (r.Token != e.Link || len(r.Uses) != 1) {
			return 0, kit.Violationf("call %s: the record %s does not say the number of the use of token %s", e.ID, r, e.Link)
		}
		places[e.Link]++
		if e.place = places[e.Link]; len(r.Uses) == 1 {
			e.Use = r.Uses[0]
		}
	}
	for _, e := range events {
		if e.place == 0 && e.Out != dead && e.Out != denied {
			return 0, kit.Violationf("%s %s, %s, has no record", e.Op, e.ID, e.Out)
		}
	}
	return counted, nil
}
