// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/server"
)

type handler struct{ *front.Front }

// New returns the handler of /v1/. cfg.Roots is not used. It is safe for concurrent use. Errors: vault.ErrInvalid.
func New(cfg server.Config) (http.Handler, error) {
	f, err := front.New(front.Config(cfg))
	if err != nil {
		return nil, fmt.Errorf("compat: %w", err)
	}
	return &handler{f}, nil
}

// request is a call on its way.
type request struct {
	*http.Request
	*front.Front
	w     http.ResponseWriter
	by    front.Caller
	rest  []string // segments behind what the call is named by; in each, %2F has become a slash
	reply int      // status of success; zero: 200, or 204 without a body
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	segments, err := split(r.URL)
	if err == nil && r.Method == http.MethodGet && len(segments) == 1 && segments[0] == "health" {
		h.health(w, r)
		return
	}
	c, no := h.Admit(w, r, front.Bearer(r))
	if no == nil && !c.Proven {
		no = h.Stranger(r, c) // whatever one sends is not read
	}
	if no != nil {
		write(w, r, no)
		return
	}
	q := &request{Request: r, Front: h.Front, w: w, by: c}
	var body any
	if err == nil {
		body, err = q.serve(segments)
	}
	if err != nil {
		write(w, r, q.Refused(r, c, err))
		return
	}
	switch {
	case body == nil:
		front.NoStore(w.Header())
		w.WriteHeader(http.StatusNoContent)
	case q.reply != 0:
		front.WriteJSON(w, q.reply, body)
	default:
		front.WriteJSON(w, http.StatusOK, body)
	}
}

func nothing(message string) error {
	return &front.Refusal{Status: http.StatusNotFound, Code: "nothing", Message: message}
}

// body reads the body into v.
func (q *request) body(v any) error { return orNil(front.ReadJSON(q.w, q.Request, maxBody, v)) }

// nullable is body where the SDK writes null for metadata that nobody said.
func (q *request) nullable(v any) error {
	return orNil(front.ReadNullable(q.w, q.Request, maxBody, v))
}

func orNil(no *front.Refusal) error {
	if no == nil {
		return nil
	}
	return no
}

// maxBody lets a value of 1 MiB have escapes.
const maxBody = 2 << 20

// codes are the vendor's words for those of package front. Two of them the SDK looks for, with their status.
var codes = map[string]string{
	"unauthorized": "UNAUTHORIZED", "denied": "SCOPE_DENIED", "not_found": "SECRET_NOT_FOUND", "invalid": "VALIDATION_ERROR",
	"rate_limited": "RATE_LIMITED", "nothing": "NOT_FOUND",
}

// write answers with a refusal: the SDK and the CLI read error, the MCP server detail.
func write(w http.ResponseWriter, r *http.Request, no *front.Refusal) {
	code, ok := codes[no.Code]
	if !ok {
		code = strings.ToUpper(no.Code)
	}
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
		Detail string `json:"detail"`
	}
	body.Error.Code, body.Error.Message, body.Detail = code, no.Message, no.Message
	no.Head(w.Header(), r)
	front.WriteJSON(w, no.Status, body)
}
