// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/audit"
)

// writeRecord fills in the record of a call and encodes all of it that the caller knows. The committer adds sequence, time,
// outcome, cause and uses. No field is ever set from a value, a token or a key.
func (c *call) writeRecord() {
	if c.verbatim {
		c.tail = c.record.AppendRest(c.tail[:0])
		return
	}
	c.record = audit.Record{Op: c.op.name}
	r, who := &c.record, c.who
	r.Operator = who.operator
	if who.from.IsValid() {
		r.Addr = who.from.String()
	}
	if len(who.claims) > 0 {
		r.Token = who.claims.last().ID
	}
	if len(who.claims) > 0 && who.operator == "" {
		top := who.claims[min(who.claims.first(), len(who.claims)-1)].Grant
		r.Agent, r.Run, r.User, r.Tenant = who.claims.Agent(), top.Run, top.User, top.Tenant
	}
	// What is malformed may be anything, a value pasted into the wrong argument too; and what an unknown caller writes is
	// not worth the room.
	if c.malformed == nil {
		r.Path, r.Version, r.Target = c.req.Path, c.req.Version, c.target
		r.Method, r.Host = c.dest.method, c.dest.String()
		if c.plan.dest.host != "" {
			r.Host = c.plan.dest.String()
		}
		if c.plan.number != 0 {
			r.Version = c.plan.number
		}
		if who.refused == nil {
			r.Reason, r.Call, r.Metadata, r.Detail = c.req.Reason, c.req.Call, c.req.Metadata, c.detail
		}
	}
	c.tail = r.AppendRest(make([]byte, 0, 384))
	if len(c.tail) > maxTail { // the limits of the parts add up to less
		c.refused, c.malformed = tooLong, tooLong
		r.Reason, r.Call, r.Metadata, r.Detail = "", "", nil, ""
		c.tail = r.AppendRest(c.tail[:0])
	}
}

// maxTail leaves room for what the committer adds to a line of at most 16 KiB.
const maxTail = 15 << 10

var tooLong = invalid(fmt.Errorf("the record would have more than %d bytes", maxTail))

// settle fills in what the committer knows.
func (c *call) settle(p plan, r *refusal) {
	switch {
	case c.verbatim:
	case c.failed != nil:
		c.record.Outcome, c.record.Cause = audit.Failed, causeOf(c.failed)
	case r != nil:
		c.record.Outcome, c.record.Cause = audit.Denied, r.cause
	default:
		c.record.Outcome = audit.Granted
		if p.override != "" {
			c.record.Cause = "override:" + p.override
		}
	}
}

// causeOf is the cause that the record of a failed call keeps. It holds nothing of the error's text.
func causeOf(err error) string {
	for _, known := range []struct {
		err   error
		cause string
	}{
		{ErrTampered, "tampered"}, {ErrInvalid, "invalid"}, {ErrNotFound, "not_found"}, {ErrClosed, "closed"}, {ErrKMSUnavailable, "kms_unavailable"},
		{ErrWrongKey, "wrong_key"}, {ErrNoKey, "no_key"}, {ErrConflict, "conflict"},
		{context.Canceled, "cancelled"}, {context.DeadlineExceeded, "deadline"},
	} {
		if errors.Is(err, known.err) {
			return known.cause
		}
	}
	return "error"
}
