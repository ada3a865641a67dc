// SPDX-License-Identifier: Apache-2.0

package front

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/keyward-go/keyward/vault"
)

// Refusal is what a front itself answers: the vault was not asked for anything.
type Refusal struct {
	Status     int
	Code       string
	Message    string
	RetryAfter int // seconds; zero: it says nothing
}

// Error makes it an error, for what finds out before the vault is asked.
func (r *Refusal) Error() string { return r.Message }

// Malformed is the Refusal of a request that is malformed before the vault sees it.
func Malformed(format string, args ...any) *Refusal {
	return RefusalOf(fmt.Errorf("%w: "+format, append([]any{vault.ErrInvalid}, args...)...))
}

// NotServed is what is said of a host or origin that a front does not serve.
const NotServed = "this server does not serve this host or origin: name it in Config.Hosts or Origins, or with serve --host or --origin"

var notServed = &Refusal{http.StatusForbidden, "denied", NotServed, 0}

// statuses are the errors of a vault as HTTP has them, the special before the general, and what is wrong with the vault before what
// is wrong with the request. A text that is empty is the vault's.
var statuses = []struct {
	err error
	Refusal
}{
	{vault.ErrDeadToken, Refusal{http.StatusUnauthorized, "unauthorized", "this wants a live credential of this vault, of the kind that may ask for it: Authorization: Bearer kw_…", 0}},
	{vault.ErrBusy, Refusal{http.StatusServiceUnavailable, "busy", "the vault is busy: wait, then ask again", 1}},
	{vault.ErrKMSUnavailable, Refusal{http.StatusServiceUnavailable, "unavailable", unavailable, 2}},
	{vault.ErrNotRecorded, Refusal{http.StatusServiceUnavailable, "unavailable", unavailable, 0}},
	{vault.ErrClock, Refusal{http.StatusServiceUnavailable, "unavailable", unavailable, 0}},
	{vault.ErrClosed, Refusal{http.StatusServiceUnavailable, "unavailable", unavailable, 0}},
	{vault.ErrDenied, Refusal{http.StatusForbidden, "denied", "", 0}},
	{vault.ErrInvalid, Refusal{http.StatusBadRequest, "invalid", "", 0}},
	{vault.ErrNotFound, Refusal{http.StatusNotFound, "not_found", "", 0}},
	{vault.ErrConflict, Refusal{http.StatusConflict, "conflict", "", 0}},
	{context.DeadlineExceeded, Refusal{http.StatusGatewayTimeout, "timeout", "the vault did not answer in time", 0}},
	{context.Canceled, Refusal{499, "canceled", "the request was given up", 0}}, // nobody reads it
}

// unavailable is what callers are told of a vault that cannot serve. What is wrong with it is for its operator, who has the log.
const unavailable = "the vault cannot serve here now, and has released nothing: its operator has to look why, in the log of faults of this server"

// RefusalOf says how an error of the vault is answered. Its text is the vault's in the words of HTTP, which quotes no value and no token;
// that of an error which is none of the vault's is not shown, and whoever has no live credential is told one and the same.
func RefusalOf(err error) *Refusal {
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			r := s.Refusal
			if r.Message == "" {
				r.Message = Say(err)
			}
			return &r
		}
	}
	return &Refusal{http.StatusInternalServerError, "internal", "the vault could not answer; its log of faults says why", 0}
}

// Say is the text of err for a caller over HTTP.
func Say(err error) string { return inRequests.Replace(err.Error()) }

// ErrorHeader tells an answer of a front itself from one that it passes on: it holds the code of a Refusal.
const ErrorHeader = "Keyward-Error"

// Head sets the headers that go with r. The caller writes the status and a body.
func (r *Refusal) Head(h http.Header, req *http.Request) {
	NoStore(h)
	h.Set(ErrorHeader, r.Code)
	if r.Status == http.StatusUnauthorized {
		Challenge(h, req)
	}
	if r.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(r.RetryAfter))
	}
}

// Write answers with r as the fronts of keyward write errors.
func (r *Refusal) Write(w http.ResponseWriter, req *http.Request) {
	r.Head(w.Header(), req)
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	body.Error.Code, body.Error.Message = r.Code, r.Message
	WriteJSON(w, r.Status, body)
}
