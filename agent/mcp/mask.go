// SPDX-License-Identifier: Apache-2.0

package mcp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward-go/keyward/agent/redact"
)

var errUnmasked = errors.New("the answer held a credential where it could not be masked, and was dropped")

// mask returns an answer without the values that r knows: res and err as they are if there is none.
func mask(r *redact.Redactor, res sdk.Result, err error) (sdk.Result, error) {
	if err != nil {
		return nil, maskError(r, err)
	}
	if v := reflect.ValueOf(res); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return res, nil
	}
	text, err := json.Marshal(res)
	if err != nil {
		return nil, errUnmasked
	}
	masked, changed, err := maskJSON(r, text)
	if err != nil {
		return nil, err
	}
	if !changed {
		return res, nil
	}
	t := reflect.TypeOf(res)
	if t.Kind() != reflect.Pointer {
		return nil, errUnmasked
	}
	out, ok := reflect.New(t.Elem()).Interface().(sdk.Result)
	if !ok || json.Unmarshal(masked, out) != nil {
		return nil, errUnmasked
	}
	return out, nil
}

func maskError(r *redact.Redactor, err error) error {
	var wire *jsonrpc.Error
	if errors.As(err, &wire) && len(wire.Data) > 0 {
		data, changed, e := maskJSON(r, wire.Data)
		if e != nil {
			return errUnmasked
		}
		if changed {
			return &jsonrpc.Error{Code: wire.Code, Message: r.String(wire.Message), Data: data}
		}
	}
	masked := r.String(err.Error())
	switch {
	case masked == err.Error():
		return err
	case wire != nil:
		return &jsonrpc.Error{Code: wire.Code, Message: r.String(wire.Message), Data: wire.Data}
	}
	return errors.New(masked)
}

func maskJSON(r *redact.Redactor, text []byte) (masked []byte, changed bool, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil, false, errUnmasked
	}
	v = walk(r, v, &changed)
	if !changed {
		return text, false, nil
	}
	masked, err = json.Marshal(v)
	return masked, true, err
}

// walk masks names, texts and numbers, and what base64 of a whole text hides.
func walk(r *redact.Redactor, v any, changed *bool) any {
	switch v := v.(type) {
	case string:
		out := v
		if b, err := base64.StdEncoding.DecodeString(v); err == nil {
			if clean := r.Bytes(b); !bytes.Equal(clean, b) {
				out = base64.StdEncoding.EncodeToString(clean)
			}
		}
		out = r.String(out)
		*changed = *changed || out != v
		return out
	case json.Number:
		if r.String(v.String()) != v.String() {
			*changed = true
			return redact.Mask
		}
	case []any:
		for i := range v {
			v[i] = walk(r, v[i], changed)
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			clean := r.String(name)
			*changed = *changed || clean != name
			out[clean] = walk(r, e, changed)
		}
		return out
	}
	return v
}
