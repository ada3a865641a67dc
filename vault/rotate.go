// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Rotation says how RotateKeys rotates.
type Rotation struct {
	Reason string // for the records, at most 1 KiB
	// Compromised destroys the former token keys at once: every token is dead, in every process, before anything else is
	// granted. Agent keys and remote operators are no tokens: they live until Revoke.
	Compromised bool
	// Progress is told how many of the data keys are re-wrapped. It is called between commits, never by two goroutines of one
	// rotation. If it panics RotateKeys stops with an error, and can be resumed. If nil, nobody is told.
	Progress func(done, total int)
}

// RotateKeys puts new keys in place of those that wrap data keys and sign tokens, while the vault is in use. On return every
// data key is re-wrapped, the former wrapping keys are destroyed, and no byte of the former keyring is in live files. No
// value is opened for it. Former token keys verify what was issued under them until the longest life of any token has
// passed; the next rotation after that drops them. State key and log key stay.
//
// It is a row of commits, each with a record: one that brings the keys, one for each part that is re-wrapped, one that drops
// the former. If it ends early (an error, ctx, a crash), everything can be read, and RotateKeys without Compromised goes on
// where it was, in any process; with Compromised it begins anew with newer keys. Other processes follow by asking the root
// once for each of the two new keyrings; the root is asked in this one too, and must answer within 30 s.
//
// Errors: those of the root (ErrKMSUnavailable, ErrWrongKey, ErrNoKey), ErrConflict (another rotation ran at the same time,
// or there are 64 former keys of a kind: its text says what to do), ErrNotRecorded.
func (o *Operator) RotateKeys(ctx context.Context, r Rotation) error {
	req := Request{Reason: r.Reason}
	err := o.do(ctx, &call{op: opRotate, by: o.session, req: req, rotation: &rotation{compromised: r.Compromised}})
	if err != nil {
		return err
	}
	v := o.core()
	for done := 0; ; {
		left := v.unwrapped()
		if len(left) == 0 {
			break
		}
		total := done + len(left)
		for part := range slices.Chunk(left, maxRewrap) {
			step := &rotation{part: part, done: done + len(part), total: total}
			if err := o.do(ctx, &call{op: opRewrap, by: o.session, req: req, rotation: step}); err != nil {
				return err
			}
			done = step.done
			if r.Progress == nil {
				continue
			}
			if err := contain(func() error { r.Progress(done, total); return nil }); err != nil {
				return fmt.Errorf("vault: rotate: progress: %w; RotateKeys goes on where it was", err)
			}
		}
	}
	return o.do(ctx, &call{op: opRotated, by: o.session, req: req, rotation: &rotation{}})
}

// rotation is what one call does to the keyring, or with it.
type rotation struct {
	compromised bool
	retires     int64    // see keyChange
	part        []rowKey // versions to re-wrap
	done, total int
	root        RootKey // of SetRoot

	ring      *keyring    // step 4: the next keyring
	row       []byte      // step 4: its row
	rewrapped []rewrapped // step 4
	bulk      int         // about how many bytes these are
}

// rotateDetail is a step of a rotation as its record shows it.
type rotateDetail struct {
	Step        string `json:"step,omitempty"` // begin, resume, wrap, end
	Generation  uint32 `json:"generation,omitempty"`
	Compromised bool   `json:"compromised,omitempty"`
	Done        int    `json:"done,omitempty"`
	Total       int    `json:"total,omitempty"`
}

// handover is how long after the making of a keyring its commit may be. What is issued meanwhile is issued under the key
// that it retires.
const handover = 10 * time.Minute

// loadRotate makes the keys of a new rotation, or sees that there is one to be resumed.
func loadRotate(ctx context.Context, v *core, c *call) error {
	c.rotation.ring, c.rotation.row = nil, nil
	if k := v.keys(); k.rotating() && !c.rotation.compromised {
		return c.rotated(rotateDetail{Step: "resume", Generation: k.generation})
	}
	var retires int64
	v.look(func(w view) { retires = w.now.Add(handover).Unix() })
	c.rotation.retires = retires
	err := v.loadNext(ctx, c, nil, keyChange{newWrap: true, newToken: true, retires: retires, dropTokens: c.rotation.compromised})
	if err != nil {
		return err
	}
	return c.rotated(rotateDetail{Step: "begin", Generation: c.rotation.ring.generation, Compromised: c.rotation.compromised})
}

func (c *call) rotated(d rotateDetail) (err error) {
	c.detail, err = detail(d)
	return err
}

// decideRotate sees that no token is issued after the second at which its key is retired.
func decideRotate(w view, c *call) (plan, *refusal) {
	if c.rotation.ring != nil && w.now.Unix() > c.rotation.retires {
		return plan{}, unsettled
	}
	return plan{}, nil
}

// loadRotated drops the former wrapping keys. Since they were succeeded nothing was wrapped with them: a call that has
// sealed with them is done again. So if none is left now, in this generation, none comes back.
func loadRotated(ctx context.Context, v *core, c *call) error {
	c.rotation.ring, c.rotation.row = nil, nil
	k := v.keys()
	if len(v.unwrapped()) > 0 {
		return fmt.Errorf("%w: another rotation has begun meanwhile; RotateKeys goes on with it", ErrConflict)
	}
	if !k.rotating() { // another process has ended it
		return c.rotated(rotateDetail{Step: "end", Generation: k.generation})
	}
	if err := v.loadNext(ctx, c, nil, keyChange{dropWraps: true}); err != nil {
		return err
	}
	return c.rotated(rotateDetail{Step: "end", Generation: c.rotation.ring.generation})
}
