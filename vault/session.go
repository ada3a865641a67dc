// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
)

// Session is the vault seen through one token or agent key. Every method but Claims and Token is one pass through the one
// door: it is decided, recorded durably, and only then answered, refusals included. It is safe for concurrent use and
// needs no closing.
type Session struct {
	core     func() *core // see Vault
	operator *string      // an operator in this process
	token    Token
	remote   bool // the token is to be a remote operator's
	from     netip.Addr
	known    atomic.Pointer[identity]
}

// Put stores a new version of a secret and returns its number. The version and its record are durable on return.
//
// With it.Version n it succeeds only if n is the next number: that is check-and-set; otherwise ErrConflict. it.Policy
// becomes that of a new path (but a token may not give it hosts), and can only tighten that of an existing one; its zero
// fields change nothing.
func (s *Session) Put(ctx context.Context, it Item) (version int, err error) {
	text := it.Value.Reveal()
	value := []byte(text[:min(len(text), maxValue+1)]) // enough to be refused
	defer clear(value)
	policy := it.Policy.clone()
	c := &call{op: opPut, by: s, value: value, policy: &policy}
	c.req = Request{Path: it.Path, Version: it.Version, Reason: it.Reason, Metadata: it.Metadata}
	if !policy.isZero() && policy.check() == nil {
		c.detail = policyDetail(policy)
	}
	if err := s.do(ctx, c); err != nil {
		return 0, err
	}
	return c.plan.number, nil
}

// Get reveals a value. It is recorded as a reveal before the value is returned, and counts as a use.
func (s *Session) Get(ctx context.Context, r Request) (Item, error) {
	c := &call{op: opGet, by: s, req: r}
	if err := s.do(ctx, c); err != nil {
		return Item{}, err
	}
	it := c.plan.version.item(r.Path, c.plan.number, c.plan.secret)
	it.Value = release(c.opened)
	return it, nil
}

// Use lends a value to f, which applies it and keeps it to itself: after f has returned the value is wiped, and reading it
// panics. With r.URL, the policy of the path must name that place; without, the path must have no hosts. The record says
// where the value went. f is trusted to go there. The error of f is returned as it is.
func (s *Session) Use(ctx context.Context, r Request, f func(Item) error) error {
	if f == nil {
		return fmt.Errorf("vault: use: %w: the function is nil", ErrInvalid)
	}
	c := &call{op: opUse, by: s, req: r}
	if err := s.do(ctx, c); err != nil {
		return err
	}
	it := c.plan.version.item(r.Path, c.plan.number, c.plan.secret)
	var back func()
	it.Value, back = lend(c.opened)
	defer back()
	return f(it)
}

// Delete removes a version, or with Version 0 all of them: the wrapped key and the sealed value. Numbers are not used
// again, and the policy stays.
func (s *Session) Delete(ctx context.Context, r Request) error {
	return s.do(ctx, &call{op: opDelete, by: s, req: r})
}

// List returns the newest version of every path that r.Path, a pattern, covers and the session may list, without values,
// in the order of their paths. More than 10,000 are an ErrInvalid: list a narrower pattern.
func (s *Session) List(ctx context.Context, r Request) ([]Item, error) {
	return answer[[]Item](ctx, s, &call{op: opList, by: s, req: r})
}

// Versions returns the versions of one path that are there, oldest first, without values; the newest 10,000 if there are
// more.
func (s *Session) Versions(ctx context.Context, r Request) ([]Item, error) {
	return answer[[]Item](ctx, s, &call{op: opVersions, by: s, req: r})
}

// Issue makes a token and returns its session. From an operator it is a new grant; from an agent key one inside its limits;
// from a token a narrowing of it, as Token.Narrow makes, but recorded. The bearer exists only after its record is
// durable.
func (s *Session) Issue(ctx context.Context, g Grant) (*Session, error) {
	g.Networks = slices.Clone(g.Networks)
	c := &call{op: opIssue, by: s, grant: &g}
	if err := s.do(ctx, c); err != nil {
		return nil, err
	}
	return s.child(c), nil
}

func (s *Session) child(c *call) *Session {
	child := &Session{core: s.core, token: c.token, from: s.from}
	if id := c.claims; id.from(s.from) && s.core().builtin {
		child.known.Store(&identity{claims: id, ends: id.endsBy(s.core().maxTTL), from: s.from.Unmap().WithZone(""), generation: c.generation})
	}
	return child
}

// Revoke ends a link and everything below it, in every process, before it returns nil: one commit, whatever hangs below.
// A token may end its last link and those narrowed from it; an operator any link, agent key or operator. Take the whole
// id from Claims, Tokens or Keys: the vault cannot know what was narrowed offline, so an id of a link that nobody holds is
// accepted and ends nothing. If the record cannot be made durable Revoke returns an error, and this process refuses the
// link all the same; but a ctx that has ended before the call stops it at once.
func (s *Session) Revoke(ctx context.Context, id, reason string) error {
	return s.do(ctx, &call{op: opRevoke, by: s, target: id, req: Request{Reason: reason}})
}

// Claims returns what the session's token says, oldest link first, after checking that it is the vault's. It does not
// look whether the token has been revoked or used up, and it is not recorded. An operator in this process has none.
func (s *Session) Claims(ctx context.Context) (Claims, error) {
	if s == nil || s.core == nil {
		return nil, errNoVault
	}
	if err := s.core().enter(); err != nil {
		return nil, err
	}
	defer s.core().leave()
	id := s.authenticate(ctx)
	s.core().look(id.lookUp)
	if id.refused != nil {
		return nil, fmt.Errorf("vault: claims: %w", id.refused.error())
	}
	return id.claims.clone(), nil
}

// Token returns the bearer of the session: call it only to hand it to another process. An operator in this process has
// none, and its Token is zero.
func (s *Session) Token() Token {
	if s == nil {
		return Token{}
	}
	return s.token
}

var errNoVault = fmt.Errorf("vault: %w: the session does not come from a vault", ErrInvalid)

func (s *Session) do(ctx context.Context, c *call) error {
	if s == nil || s.core == nil {
		return errNoVault
	}
	return s.core().do(ctx, c)
}

// answer is for calls that answer with what step 4 found.
func answer[T any](ctx context.Context, s *Session, c *call) (T, error) {
	var none T
	if err := s.do(ctx, c); err != nil {
		return none, err
	}
	out, _ := c.answer.(T)
	return out, nil
}
