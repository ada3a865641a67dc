// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"maps"
)

// The functions of this file are step 4 of the door: they get ready what a call needs, before the commit and outside it.

func loadValue(ctx context.Context, v *core, c *call) (err error) {
	c.opened, err = v.sealer.open(ctx, c.req.Path, c.plan.number, c.plan.version)
	return err
}

func loadPut(_ context.Context, v *core, c *call) (err error) {
	c.row = &versionRow{Reason: c.req.Reason, Metadata: maps.Clone(c.req.Metadata)}
	c.sealed, err = v.sealer.seal(c.req.Path, c.plan.number, c.value, c.row)
	return err
}

// loadFingerprint makes the fingerprint by which Whose looks.
func loadFingerprint(_ context.Context, v *core, c *call) error {
	c.print = v.sealer.fingerprint(c.value)
	return nil
}
