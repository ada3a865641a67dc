// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
)

// Destroy removes one version for good: what Delete does, and no byte of its wrapped key and its sealed value is in the live
// files of the store when it returns nil. r.Version is required. A version that was deleted before can be destroyed: then
// what the Delete removed is scrubbed. Number, reason, metadata and fingerprint stay. Backups made before keep it, until the
// root that sealed their keyring is destroyed.
func (o *Operator) Destroy(ctx context.Context, r Request) error {
	return o.do(ctx, &call{op: opDestroy, by: o.session, req: r})
}

func (c *call) checkDestroy() error {
	if c.req.Version == 0 {
		return errors.New("version: Destroy takes one by its number; Versions lists them")
	}
	return c.checkPath()
}

func decideDestroy(w view, c *call) (p plan, r *refusal) {
	if p.secret, _ = w.secret(c.req.Path); p.secret == nil {
		return p, notFound
	}
	if p.override, r = guarded(w, c, p.secret.Policy); r != nil {
		return p, r
	}
	p.number = c.req.Version
	if p.version, _ = w.version(c.req.Path, p.number); p.version == nil {
		return p, notFound
	}
	if !p.version.Gone {
		p.numbers = []int{p.number}
	}
	return p, nil
}

func applyDestroy(b *batch, c *call) {
	applyDelete(b, c)
	b.scrub = true
	b.v.sealer.forget(c.plan.version.Sum)
}
