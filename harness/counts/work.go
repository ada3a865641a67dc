// SPDX-License-Identifier: Apache-2.0

package counts

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

// event is one call as its caller saw it.
type event struct {
	Link         string
	Op           string
	ID           string // the record's call or reason
	Call, Return int64  // nanoseconds of one clock for all processes
	Out          string
	Use          int // its number; 0 if it is not known

	place int // of its record among those of the token, from 1; 0: it has none
}

// What is called.
const (
	opUse    = "use"    // Get and Use
	opRevoke = "revoke" // by an operator
	opOwn    = "own"    // revoke, by the token itself
	opFreeze = "freeze"
	opThaw   = "thaw"
)

// How it ended.
const (
	granted   = "granted"
	dead      = "dead token"
	denied    = "denied"
	missing   = "not found"
	unsettled = "unsettled"
)

func outcome(err error) string {
	switch {
	case err == nil:
		return granted
	case errors.Is(err, vault.ErrDeadToken):
		return dead
	case errors.Is(err, vault.ErrDenied):
		return denied
	case errors.Is(err, vault.ErrNotFound):
		return missing
	case errors.Is(err, vault.ErrConflict):
		return unsettled // it was frozen or thawed each time that it was decided: it may try again
	}
	return ""
}

// work is the part of one member: all its rounds.
func (j job) work(ctx context.Context, dir string, v *vault.Vault, bug bool, meet func(round int) error, tell func(event)) error {
	for n, tokens := range j.Rounds {
		if err := meet(n); err != nil {
			return err
		}
		var wg sync.WaitGroup
		errs := make([]error, callers/j.Members)
		for g := range errs {
			wg.Go(func() {
				number := g*j.Members + j.Member
				c := &caller{
					token: tokens[number/j.Members%len(tokens)], name: fmt.Sprintf("%d-%d", n, number), v: v, tell: tell, dir: dir, bug: bug,
					rand: rand.New(rand.NewPCG(j.Seed, uint64(n*callers+number))),
				}
				errs[g] = c.work(ctx, g/len(tokens)*j.Members+j.Member)
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// caller is one goroutine, with one token.
type caller struct {
	token
	name  string
	v     *vault.Vault
	tell  func(event)
	rand  *rand.Rand
	calls int
	dir   string
	bug   bool
}

const few = 6 // uses of a caller, of a token that may be frozen for long

// work is what the caller of a rank does with its token: all use it, the first two in rank may do more.
func (c *caller) work(ctx context.Context, rank int) error {
	special := c.rand.IntN(few)
	for n := 0; ; n++ {
		var out string
		var err error
		switch {
		case c.Thing.Kind != "" && n == few && rank > 1, c.Thing.Kind != "" && n == 2*few, c.bug && n == few:
			return nil
		case c.Thing.Kind != "" && rank < 2 && n%2 == 0:
			out, err = c.do(ctx, opFreeze)
		case c.Thing.Kind != "" && rank < 2:
			out, err = c.do(ctx, opThaw)
		case rank == 0 && n == special && (c.Kind == opRevoke || c.Kind == opOwn):
			out, err = c.do(ctx, c.Kind)
		case c.Thing.Kind != "" && rank == 2 && n == special && c.rand.IntN(2) == 0:
			out, err = c.do(ctx, opRevoke)
		default:
			out, err = c.do(ctx, opUse)
		}
		if err != nil || out == dead {
			return err
		}
	}
}

// do makes one call and tells of it. An error that is no answer of a vault to this call is a Violation.
func (c *caller) do(ctx context.Context, what string) (string, error) {
	c.calls++
	e := event{Link: c.Link, Op: what, ID: fmt.Sprintf("%s-%d", c.name, c.calls)}
	op, own := c.v.Operator("counts"), c.v.Session(vault.NewToken(c.Bearer), netip.Addr{})
	var err error
	e.Call = now()
	switch {
	case what == opRevoke:
		err = op.Revoke(ctx, c.Link, e.ID)
	case what == opOwn:
		err = own.Revoke(ctx, c.Link, e.ID)
	case what == opFreeze:
		err = op.Freeze(ctx, c.Thing, e.ID)
	case what == opThaw:
		err = op.Thaw(ctx, c.Thing, e.ID)
	case c.bug && c.Kind == "":
		e.Use, err = c.readThenWrite(ctx, op, e.ID)
	case c.calls%2 == 0:
		err = own.Use(ctx, vault.Request{Path: c.Path, Call: e.ID}, func(vault.Item) error { return nil })
	default:
		_, err = own.Get(ctx, vault.Request{Path: c.Path, Call: e.ID})
	}
	e.Return = now()
	if errors.Is(err, vault.ErrBusy) { // nothing has changed: other processes had the store for too long
		return c.do(ctx, what)
	}
	if e.Out = outcome(err); e.Out == "" {
		return "", kit.Violationf("%s %s: an error without a fault: %v", what, e.ID, err)
	}
	c.tell(e)
	return e.Out, nil
}
