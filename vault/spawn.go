// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/keyward-go/keyward/audit"
)

// spawnEnd bounds how long the record of a spawn's end may take.
const spawnEnd = 10 * time.Second

// Spawn is the life of a sub-agent: it issues a token as Issue does, runs f with its session, waits for f, and ends the
// token, with all that was narrowed from it, when f returns or ctx ends, whichever is first. A zero TTL lasts as long as
// the parent or Config.MaxTTL allow. The token works only in this opening of the vault, so a crash leaves nothing alive; to reach
// another process use Issue. The end itself cannot fail; if it cannot be recorded, that is the error, joined to that of f.
func (s *Session) Spawn(ctx context.Context, g Grant, f func(context.Context, *Session) error) (err error) {
	if f == nil {
		return fmt.Errorf("vault: spawn: %w: the function is nil", ErrInvalid)
	}
	g.Networks = slices.Clone(g.Networks)
	c := &call{op: opIssue, by: s, grant: &g, spawn: true}
	if err := s.do(ctx, c); err != nil {
		return err
	}
	v, link := s.core(), c.claims.last().ID
	v.spawns.add(link)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	end := sync.OnceValue(func() error {
		v.spawns.remove(link)
		return v.recordEnd(ctx, c)
	})
	stop := context.AfterFunc(ctx, func() { _ = end() }) // its error is returned below
	defer func() {
		stop()
		err = errors.Join(err, end())
	}()
	return f(ctx, s.child(c))
}

// recordEnd records the end of a spawn, whatever has become of its caller.
func (v *core) recordEnd(ctx context.Context, issued *call) error {
	if err := v.enter(); err != nil {
		return err
	}
	defer v.leave()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), spawnEnd)
	defer cancel()
	c := &call{op: opRevoke, verbatim: true, record: issued.record}
	c.record.Op, c.record.Outcome, c.record.Cause = opRevoke.name, audit.Granted, ended.cause
	c.record.Detail, c.record.Reason = "", ""
	c.writeRecord()
	if err := v.commit(ctx, c); err != nil {
		return c.wrap(err)
	}
	return nil
}
