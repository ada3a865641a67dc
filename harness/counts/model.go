// SPDX-License-Identifier: Apache-2.0

package counts

import (
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/keyward-go/keyward/harness/internal/kit"
)

// state is a token as the model sees it.
type state struct {
	recorded        int // calls so far that have a record
	used            int
	revoked, frozen bool
	everFrozen      bool
}

func (s state) dead() bool { return s.revoked || s.used == maxUses }

// step says whether a call may end as it did in a state, and the state behind it. What is recorded comes in the order of
// the log: a vault promises that order, and without it the search would take for ever.
func step(s state, e *event) (bool, state) {
	if e.place > 0 {
		if s.recorded++; e.place != s.recorded {
			return false, s
		}
	}
	switch e.Op + " " + e.Out {
	case "use granted":
		s.used++
		return !s.revoked && !s.frozen && s.used <= maxUses && (e.Use == 0 || e.Use == s.used), s
	case "use denied":
		if e.place == 0 {
			// Above 20 refusals a second of one token they are only counted, and as old as what the process knows of the
			// others. What is dead stays dead all the same.
			return s.everFrozen, s
		}
		return s.frozen && !s.dead(), s
	case "use dead token", "own dead token":
		return s.dead(), s
	case "use unsettled":
		return s.everFrozen, s
	case "own granted":
		ok := !s.dead()
		s.revoked = true
		return ok, s
	case "revoke granted":
		s.revoked = true
		return true, s
	case "freeze granted":
		s.frozen, s.everFrozen = true, true
		return true, s
	case "thaw granted":
		ok := s.frozen
		s.frozen = false
		return ok, s
	case "thaw not found":
		return !s.frozen, s
	}
	return false, s
}

var model = porcupine.Model{
	Init: func() any { return state{} },
	Step: func(s, in, _ any) (bool, any) { return step(s.(state), in.(*event)) },
}

const searchTime = 5 * time.Minute // takes milliseconds, but on a busy machine

// explain searches for an order of the calls on one token that explains them.
func explain(t token, events []*event) error {
	history := make([]porcupine.Operation, len(events))
	for i, e := range events {
		history[i] = porcupine.Operation{Input: e, Call: e.Call, Return: e.Return}
	}
	switch porcupine.CheckOperationsTimeout(model, history, searchTime) {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return errUndecided
	}
	return kit.Violationf("no order of the %d calls on token %s (%s) explains how they ended", len(events), t.Link, about(t))
}

func about(t token) string {
	if t.Kind == "" {
		return "only used"
	}
	return t.Kind
}
