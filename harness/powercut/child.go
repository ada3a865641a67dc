// SPDX-License-Identifier: Apache-2.0

package powercut

import (
	"context"
	"fmt"

	"github.com/keyward-go/keyward/harness/internal/kit"
)

const (
	calls    = 24
	callsBig = 44        // of a big history: enough for a checkpoint of SQLite's log, and for a compaction of the journal, while they run
	pad      = 900 << 10 // bytes
)

func child(ctx context.Context, c *kit.Child) error {
	var j job
	if err := c.Args(&j); err != nil {
		return err
	}
	v, err := kit.OpenVault(ctx, c.Store, c.Dir, nil)
	if err != nil {
		return kit.Violationf("it does not open: %v", err)
	}
	c.Ack(kit.Ack{Op: kit.OpOpen})
	w := &kit.Work{Name: fmt.Sprint("g", j.Generation), V: v, Tell: c.Ack}
	n := calls
	if j.big() {
		n, w.Pad = callsBig, pad
	}
	w.Script(ctx, n)
	if j.Generation%2 == 1 {
		return nil // without Close, as if it had been killed
	}
	if err := v.Close(); err != nil {
		return kit.Violationf("close: %v", err)
	}
	c.Ack(kit.Ack{Op: kit.OpClose})
	return nil
}
