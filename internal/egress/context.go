// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"time"
)

// plainContext has the end of a context and none of its values: a hook in there (net/http/httptrace) is shown each header
// that is written, the credential too.
type plainContext struct{ context.Context }

func (plainContext) Value(any) any { return nil }

// ending ends a request that has been sent.
type ending struct {
	now   context.CancelFunc
	timer *time.Timer // nil: the header may take its time
}

// bare returns the context of a request that goes out: it ends with ctx, or when the header takes longer than wait.
func bare(ctx context.Context, wait time.Duration) (context.Context, ending) {
	out, cancel := context.WithCancelCause(plainContext{ctx})
	e := ending{now: func() { cancel(nil) }}
	if wait > 0 {
		e.timer = time.AfterFunc(wait, func() { cancel(errSlow) })
	}
	return out, e
}

func (e ending) stopTimer() {
	if e.timer != nil {
		e.timer.Stop()
	}
}
