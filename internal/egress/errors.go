// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/vault"
)

var (
	errSlow     = errors.New("the upstream sent no header in time")
	errSwitched = errors.New("the upstream wants to switch protocols, which no request asked for")
	errStatus   = errors.New("the status of the answer is none")
	errEncoding = errors.New("the answer is encoded in a way that cannot be masked")

	// ErrAddress is in the error of a request that was not sent, since its host resolves to an address that the policy does not allow.
	ErrAddress = errors.New("the address is not one that the policy of the path allows: public ones, or those of Policy.Networks")
	// ErrTooLong is in the error of an answer that is longer than its limit.
	ErrTooLong = errors.New("the answer is longer than its limit")
)

// Error is what went wrong behind the door: the request was allowed, and recorded, and had no usable answer. Its text
// is masked, since errors quote what upstreams send. It wraps nothing but vault.ErrInvalid, ErrAddress, ErrTooLong and the errors of
// contexts.
type Error struct {
	text    string
	timeout bool
	is      []error
}

func (e *Error) Error() string   { return e.text }
func (e *Error) Timeout() bool   { return e.timeout }
func (e *Error) Unwrap() []error { return e.is }

// maxText bounds the text of an Error: net/http quotes whole headers.
const maxText = 1 << 10

// hide makes an Error of err, of which nothing else is left.
func hide(err error, mask *redact.Redactor) error {
	out := &Error{text: "egress: " + masked(err.Error(), mask)}
	var net interface{ Timeout() bool }
	out.timeout = errors.Is(err, errSlow) || errors.As(err, &net) && net.Timeout()
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, vault.ErrInvalid, ErrAddress, ErrTooLong} {
		if errors.Is(err, known) {
			out.is = append(out.is, known)
		}
	}
	return out
}

// masked returns the text of an error, masked. What net/http quotes it writes as Go does, which is no form that the redactor
// knows: where undoing that would show a value, nothing of the text is told.
func masked(text string, mask *redact.Redactor) string {
	text = mask.String(text)
	if plain := unquoted(text); mask.String(plain) != plain {
		return "the upstream's answer is malformed, and holds the value"
	}
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "..."
	}
	return text
}

// unquoted undoes every escape of Go in s, quotes or not.
func unquoted(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b []byte
	for s != "" {
		r, multibyte, rest, err := strconv.UnquoteChar(s, '"')
		switch {
		case err != nil:
			b, rest = append(b, s[0]), s[1:]
		case multibyte:
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, byte(r))
		}
		s = rest
	}
	return string(b)
}
