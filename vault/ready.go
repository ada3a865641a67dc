// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"
)

// Ready returns nil if calls can be granted here now: the store answers, with bytes and keys that this process can read, and the clock
// is not behind. It asks the store, whose lock it holds for a moment, and records nothing; whether a record could be made durable it
// does not try. Errors: those of a call that fails for the same reason, without ErrNotRecorded.
func (v *Vault) Ready(ctx context.Context) error {
	c := v.core()
	_, err := c.newestHead(ctx)
	if err == nil {
		c.look(func(w view) {
			if w.behind {
				err = clockBehind.error()
			}
		})
	}
	if err != nil {
		return fmt.Errorf("vault: ready: %w", err)
	}
	return nil
}
