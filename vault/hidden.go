// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

var errNoCoding = errors.New("secrets and tokens are neither decoded nor sent: use NewSecret or NewToken")

// hidden holds the bytes of a Secret or Token behind a closure. fmt cannot call the methods of a value that sits in an
// unexported field, and it follows pointers, but it cannot look into a function. Every way to print it redacts, and
// every way to encode it redacts or fails.
type hidden struct {
	reveal func() string
}

// Reveal returns the text. It panics for a Secret that was lent to the function of Use and is read after that
// function returned.
func (h hidden) Reveal() string {
	if h.reveal == nil {
		return ""
	}
	return h.reveal()
}

func (h hidden) String() string               { return redacted }
func (h hidden) GoString() string             { return redacted }
func (h hidden) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) }
func (h hidden) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (h hidden) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (h hidden) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
func (h hidden) GobEncode() ([]byte, error)   { return nil, errNoCoding }
func (h *hidden) UnmarshalText([]byte) error  { return errNoCoding }
func (h *hidden) UnmarshalJSON([]byte) error  { return errNoCoding }
func (h *hidden) GobDecode([]byte) error      { return errNoCoding }
