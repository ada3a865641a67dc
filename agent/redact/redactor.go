// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/keyward-go/keyward/vault"
)

// Mask stands where a value was.
const Mask = "[redacted]"

const maxValues = 4096

var maxPatterns = 128 << 20 // bytes; a variable for its test

// ErrFull is the answer of Add to one value too many. A value that cannot be masked must not be used.
var ErrFull = errors.New("redact: this run has touched too many values to mask: 4,096, or 128 MiB of their forms; begin a new one")

// Redactor knows values and masks them. The zero Redactor knows none. It is safe for concurrent use, and keeps the values in
// memory as long as it lives.
type Redactor struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]struct{}

	matcher atomic.Pointer[matcher] // of all that is known; nil: nothing
}

// Add makes r mask a value from now on, also in streams that run. A value that is known already costs one hash. It may be
// a value that was lent to the function of Use. Errors: ErrFull.
func (r *Redactor) Add(value vault.Secret) error {
	text := value.Reveal()
	if len(text) < minRaw {
		return nil
	}
	sum := sha256.Sum256([]byte(text))
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.known[sum]; ok {
		return nil
	}
	if len(r.known) == maxValues {
		return ErrFull
	}
	old := r.matcher.Load()
	fresh := newMatcher(old, forms(text))
	if fresh.bytes > maxPatterns {
		return ErrFull
	}
	if r.known == nil {
		r.known = map[[sha256.Size]byte]struct{}{}
	}
	r.known[sum] = struct{}{}
	r.matcher.Store(fresh)
	return nil
}

// String returns s with every known value masked: s itself if there is none.
func (r *Redactor) String(s string) string {
	m := r.matcher.Load()
	if m == nil || !m.any(s) {
		return s
	}
	masked := stream{r: r}
	return masked.push(s, true)
}

// Bytes is String for bytes: b itself if there is no value in it, otherwise a new slice.
func (r *Redactor) Bytes(b []byte) []byte {
	s := string(b)
	if masked := r.String(s); masked != s {
		return []byte(masked)
	}
	return b
}
