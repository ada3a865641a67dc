// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"crypto/subtle"
	"sync/atomic"
)

// Secret is a credential's value. Wherever it stands, it prints as "[redacted]" in every verb of fmt, in JSON, text,
// XML and slog, and refuses to be decoded or sent; Reveal is the one way to its bytes. The zero Secret is the empty
// value.
type Secret struct{ hidden }

// NewSecret returns a Secret with the given value.
func NewSecret(value string) Secret {
	return Secret{hidden{func() string { return value }}}
}

// Equal reports whether two secrets have the same value, in a time that depends on their lengths only.
func (s Secret) Equal(t Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// release wraps an opened value for its caller: step 6 of the door.
func release(value []byte) Secret {
	return Secret{hidden{func() string { return string(value) }}}
}

// lend is release for the length of a call: back wipes the value, and a later Reveal panics.
func lend(value []byte) (s Secret, back func()) {
	var over atomic.Bool
	s = Secret{hidden{func() string {
		if over.Load() {
			panic("vault: a value lent to the function of Use was read after it returned")
		}
		return string(value)
	}}}
	return s, func() {
		over.Store(true)
		clear(value)
	}
}
