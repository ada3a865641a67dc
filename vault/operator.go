// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"slices"
	"time"
)

type session = Session // so that the embedded field has no exported name

// Operator is full authority under a recorded name. It has every method of Session, with every right, and those below. Tiers,
// expiry of a path and freezes do not stop it: its reads are then recorded as overrides. Keep it from agents.
type Operator struct{ *session }

// SetPolicy replaces the whole policy of a path, also before its first version.
func (o *Operator) SetPolicy(ctx context.Context, path string, p Policy, reason string) error {
	p = p.clone()
	c := &call{op: opPolicy, by: o.session, policy: &p, req: Request{Path: path, Reason: reason}}
	if p.Tier == "" {
		p.Tier = Standard
	}
	if p.check() == nil {
		c.detail = policyDetail(p)
	}
	return o.do(ctx, c)
}

func (c *call) checkPolicy() error {
	if err := c.policy.check(); err != nil {
		return err
	}
	return c.checkPath()
}

// Freeze stops what Frozen names, in every process, before it returns nil. If it cannot be made durable Freeze returns an
// error, and this process refuses all the same.
func (o *Operator) Freeze(ctx context.Context, what Frozen, reason string) error {
	return o.do(ctx, &call{op: opFreeze, by: o.session, frozen: what, target: what.target(), req: Request{Reason: reason}})
}

// Thaw ends a freeze of exactly that kind and value; ErrNotFound if there is none.
func (o *Operator) Thaw(ctx context.Context, what Frozen, reason string) error {
	return o.do(ctx, &call{op: opThaw, by: o.session, frozen: what, target: what.target(), req: Request{Reason: reason}})
}

// Whose says which versions have this value: for a value that leaked. It compares keyed fingerprints and records the
// question without the value. Deleted versions are found too.
func (o *Operator) Whose(ctx context.Context, value Secret) ([]Item, error) {
	text := value.Reveal()
	b := []byte(text[:min(len(text), maxValue+1)]) // enough to be refused
	defer clear(b)
	return answer[[]Item](ctx, o.session, &call{op: opWhose, by: o.session, value: b})
}

// Tokens returns every link that is not expired: those that were issued through the vault, from the log, and those narrowed
// offline once they are counted or revoked. It reads and checks the whole log.
func (o *Operator) Tokens(ctx context.Context) ([]TokenState, error) {
	return answer[[]TokenState](ctx, o.session, &call{op: opTokens, by: o.session})
}

// NewKey makes an agent key or a remote operator and returns its ID, by which Revoke ends it, and its credential, which is shown
// only here. Names need not be unique.
func (o *Operator) NewKey(ctx context.Context, k Key, reason string) (id string, cred Token, err error) {
	k.Expires = truncate(k.Expires)
	if k.Limits.TTL > time.Second {
		k.Limits.TTL = k.Limits.TTL.Truncate(time.Second)
	}
	k.Limits.Networks = slices.Clone(k.Limits.Networks)
	c := &call{op: opKey, by: o.session, key: &k, req: Request{Reason: reason}}
	if err := o.do(ctx, c); err != nil {
		return "", Token{}, err
	}
	return c.target, c.token, nil
}

// Log returns the log for whoever holds the operator's credential: that it is asked for is decided and recorded, what is then read
// is not.
func (o *Operator) Log(ctx context.Context, reason string) (*Log, error) {
	if err := o.do(ctx, &call{op: opLog, by: o.session, req: Request{Reason: reason}}); err != nil {
		return nil, err
	}
	return &Log{o.core}, nil
}

// Freezes returns what is frozen, sorted by kind and value. A freeze that could not be recorded, and so holds in its own process alone,
// is not among them.
func (o *Operator) Freezes(ctx context.Context) ([]Frozen, error) {
	return answer[[]Frozen](ctx, o.session, &call{op: opFreezes, by: o.session})
}

// Keys returns the agent keys and remote operators, the first to expire first. Those revoked or expired are among them.
func (o *Operator) Keys(ctx context.Context) ([]Key, error) {
	return answer[[]Key](ctx, o.session, &call{op: opKeys, by: o.session})
}
