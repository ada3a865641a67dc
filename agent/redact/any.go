// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Any masks what an attribute of a span or of a log line may hold. Text, bytes, errors, lists and maps of text come back
// masked and in their own type, or as text where they cannot. Numbers, times and booleans come back as they are. Anything else comes back as it is if
// no way in which logs print it holds a known value (%v, %+v, its own text, its JSON), and as masked text otherwise. Methods of v
// are called, and may panic: what does so comes back as text.
func (r *Redactor) Any(v any) any {
	switch v := v.(type) {
	case nil, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, uintptr, float32, float64, complex64, complex128,
		time.Time, time.Duration:
		return v
	case string:
		return r.String(v)
	case []byte:
		return r.Bytes(v)
	case json.RawMessage:
		return json.RawMessage(r.Bytes(v))
	case []string:
		out := make([]string, len(v))
		for i, s := range v {
			out[i] = r.String(s)
		}
		return out
	case map[string]string:
		out := make(map[string]string, len(v))
		for key, s := range v {
			out[r.String(key)] = r.String(s)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = r.Any(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, e := range v {
			out[r.String(key)] = r.Any(e)
		}
		return out
	case error:
		if masked, ok := r.opaque(v).(string); ok {
			return errors.New(masked)
		}
		return v
	case slog.Value:
		return r.value(v)
	}
	return r.opaque(v)
}

// opaque is for values that print in a way of their own: all of them must be clean.
func (r *Redactor) opaque(v any) (result any) {
	text := fmt.Sprintf("%+v", v) // package fmt catches panics
	defer func() {
		if recover() != nil {
			result = r.String(text)
		}
	}()
	shown := []string{text, fmt.Sprint(v)}
	switch own := v.(type) { // which a Format may hide
	case error:
		shown = append(shown, own.Error())
	case fmt.Stringer:
		shown = append(shown, own.String())
	}
	if own, ok := v.(encoding.TextMarshaler); ok {
		b, _ := own.MarshalText()
		shown = append(shown, string(b))
	}
	b, _ := json.Marshal(v)
	for _, text := range append(shown, string(b)) {
		if masked := r.String(text); masked != text {
			return masked
		}
	}
	return v
}
