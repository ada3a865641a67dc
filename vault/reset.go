// SPDX-License-Identifier: Apache-2.0

package vault

import "context"

// ResetClock undoes a wrong jump forward: set the clock right, then call it. Time goes back in the log, once, to the wall
// clock. What was issued before could outlive its time by that, so every token dies, in every process: their key is destroyed
// and their rows go. Agent keys, remote operators and freezes stay. The record and the new keyring are durable on return.
//
// Errors: ErrConflict if the wall clock is not over 2 minutes behind the last record, since there is nothing to undo then;
// those of the root, which seals the new keyring; ErrNotRecorded. Another process whose clock is still wrong makes it wrong
// again with its next record: set every clock first.
func (o *Operator) ResetClock(ctx context.Context, reason string) error {
	return o.do(ctx, &call{op: opClock, by: o.session, req: Request{Reason: reason}, rotation: &rotation{}})
}

func decideClock(w view, c *call) (plan, *refusal) {
	if !w.behind {
		return plan{}, clockFine
	}
	if w.absurd {
		return plan{}, clockBehind
	}
	return plan{}, nil
}

func loadClock(ctx context.Context, v *core, c *call) error {
	if err := v.loadNext(ctx, c, nil, keyChange{newToken: true, dropTokens: true, retires: v.clock.read().wall.Unix()}); err != nil {
		return err
	}
	return c.rotated(rotateDetail{Generation: c.rotation.ring.generation})
}

func applyClock(b *batch, c *call) {
	applyKeyring(b, c)
	b.now, b.behind = b.clock.wall, false
	b.reset()
}

// reset ends every token: their rows go, and what was issued before this second is dead, also if an issuer of the user's own
// has signed it. What the built-in one signed is dead to the last: the commit brings a keyring without its key.
func (b *batch) reset() {
	b.head.reset, b.head.since, b.head.purged = b.seq(), b.now.Unix(), 0
	for _, k := range b.dropWritten(b.seq()) {
		b.sealed = append(b.sealed, Row{k.String(), b.seq(), nil})
	}
}
