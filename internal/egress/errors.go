// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"errors"

	"github.com/keyward-go/keyward/vault"
)

var (
	errSlow     = errors.New("the upstream sent no header in time")
	errAddress  = errors.New("the address is not one that the policy of the path allows: public ones, or those of Policy.Networks")
	errSwitched = errors.New("the upstream wants to switch protocols, which no request asked for")
	errEncoding = errors.New("the answer is encoded in a way that cannot be masked")

	// ErrTooLong is in the error of an answer that is longer than its limit.
	ErrTooLong = errors.New("the answer is longer than its limit")
)

// Error is what went wrong behind the door: the request was allowed, and recorded, and had no usable answer. Its text
// is masked, since errors quote what upstreams send. It wraps nothing but vault.ErrInvalid, ErrTooLong and the errors of contexts.
type Error struct {
	text    string
	timeout bool
	is      []error
}

func (e *Error) Error() string   { return e.text }
func (e *Error) Timeout() bool   { return e.timeout }
func (e *Error) Unwrap() []error { return e.is }

// hide makes an Error of err, of which nothing else is left.
func (e *Engine) hide(err error) error {
	out := &Error{text: "egress: " + e.redactor.String(err.Error())}
	var net interface{ Timeout() bool }
	out.timeout = errors.Is(err, errSlow) || errors.As(err, &net) && net.Timeout()
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, vault.ErrInvalid, ErrTooLong} {
		if errors.Is(err, known) {
			out.is = append(out.is, known)
		}
	}
	return out
}
