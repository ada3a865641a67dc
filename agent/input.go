// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// maxInput bounds what a model may send to a tool.
const maxInput = 256 << 10

var errMalformed = errors.New("malformed input")

// parse reads what a model sent as the arguments of a tool: the object of its schema, that object in a JSON string, or text
// that is neither, bare or quoted, of which bare makes arguments (nil: there is no such form). Unknown keys, values of another
// type, and anything behind the object are refused; a key counts in any case of its letters, and the last of two that are
// equal.
func parse[In any](input string, bare func(string) In) (in In, err error) {
	if len(input) > maxInput {
		return in, errMalformed
	}
	input = strings.TrimSpace(input)
	if strings.HasPrefix(input, `"`) {
		if json.Unmarshal([]byte(input), &input) != nil {
			return in, errMalformed
		}
		input = strings.TrimSpace(input)
	}
	if !strings.HasPrefix(input, "{") {
		if bare == nil {
			return in, errMalformed
		}
		return bare(input), nil
	}
	d := json.NewDecoder(strings.NewReader(input))
	d.DisallowUnknownFields()
	return in, one(d, &in)
}

// one decodes what d has into v: one value, and nothing behind it.
func one(d *json.Decoder, v any) error {
	if d.Decode(v) != nil {
		return errMalformed
	}
	if _, err := d.Token(); err != io.EOF {
		return errMalformed
	}
	return nil
}
