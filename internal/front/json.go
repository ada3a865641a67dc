// SPDX-License-Identifier: Apache-2.0

package front

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyward-go/keyward/vault"
)

// ReadJSON reads the body of r, one JSON object of at most limit bytes, into v. There is one reading of it: duplicate and unknown
// keys, keys in another case, null, text that is not UTF-8, and anything behind the object are refused. An error names the keys that
// there are, and quotes nothing of the body.
func ReadJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) *Refusal {
	return readJSON(w, r, limit, v, true)
}

// ReadNullable is ReadJSON for clients that write null for what they do not say.
func ReadNullable(w http.ResponseWriter, r *http.Request, limit int64, v any) *Refusal {
	return readJSON(w, r, limit, v, false)
}

func readJSON(w http.ResponseWriter, r *http.Request, limit int64, v any, strict bool) *Refusal {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &Refusal{http.StatusUnsupportedMediaType, "invalid", "send JSON, and say so: Content-Type: application/json", 0}
	}
	if r.Header.Get("Content-Encoding") != "" {
		return &Refusal{http.StatusUnsupportedMediaType, "invalid", "send the body without a Content-Encoding", 0}
	}
	body, done, no := ReadBody(w, r, limit)
	defer done()
	if no != nil {
		return no
	}
	defer clear(body)
	opts := []json.Options{json.RejectUnknownMembers(true)}
	if strict && bytes.Contains(body, []byte("null")) { // asking of each value costs as much as all the rest of decoding
		opts = append(opts, json.WithUnmarshalers(noNull))
	}
	if err := json.Unmarshal(body, v, opts...); err != nil {
		return RefusalOf(fmt.Errorf("%w: %s", vault.ErrInvalid, wrong(err, reflect.TypeOf(v).Elem())))
	}
	return nil
}

// wrong says what is wrong with a body for a t, and which keys there are.
func wrong(err error, t reflect.Type) string {
	what := "the body is not one JSON object with the keys of this operation, each once and spelled as documented"
	if e := (*json.SemanticError)(nil); errors.As(err, &e) {
		if e.Err == json.ErrUnknownName && e.GoType != nil && e.GoType.Kind() == reflect.Struct { // of the body, or of an object in it
			what, t = "unknown key", e.GoType
		}
		what += fmt.Sprintf(" at byte %d", e.ByteOffset)
	}
	keys := keysOf(t)
	if len(keys) == 0 {
		return what + "; there are none"
	}
	return what + "; the keys are " + strings.Join(keys, ", ")
}

// keysOf returns the keys of an object that is read into a t.
func keysOf(t reflect.Type) (keys []string) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case key == "" && f.Anonymous:
			keys = append(keys, keysOf(f.Type)...)
		case key != "" && key != "-":
			keys = append(keys, key)
		}
	}
	return keys
}

// noNull refuses null, which package json takes for an absent key: max_uses of null would be no limit.
var noNull = json.UnmarshalFromFunc(func(d *jsontext.Decoder, _ any) error {
	if d.PeekKind() == 'n' {
		return errors.New("null")
	}
	return errors.ErrUnsupported // by this function: it is decoded as always
})

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		w.Header().Set(ErrorHeader, "internal")
		status, body = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the answer cannot be written as JSON"}}`)
	}
	defer clear(body)
	NoStore(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Del("Content-Length") // of what was to be answered before
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
