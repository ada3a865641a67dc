// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/vault"
)

// Engine sends the requests of one session. It is safe for concurrent use.
type Engine struct {
	session *vault.Session
	holder  string
	pool    *Pool
	masking Masking
}

// Masking returns what an answer is masked with, which knows the value of it.
type Masking func(it vault.Item) (*redact.Redactor, error)

// Remember masks with r, which it has learn each value that is applied.
func Remember(r *redact.Redactor) Masking {
	return func(it vault.Item) (*redact.Redactor, error) { return r, r.Add(it.Value) }
}

// Use says for which credential a request is sent, and why.
type Use struct {
	Path, Reason, Call string
	Metadata           map[string]string
	Limits             Limits
}

// Limits bound answers. A zero field is no bound. Streams (isStream) have none but that of Header.
type Limits struct {
	Body   int64         // bytes of the body, decoded
	Header time.Duration // until the header is there
}

// New returns an engine. Others may share its pool: holder is what they have as another text.
func New(s *vault.Session, holder string, p *Pool, m Masking) *Engine {
	return &Engine{session: s, holder: holder, pool: p, masking: m}
}

// Transport returns the engine as the transport of an http.Client: every redirect comes here again.
func (e *Engine) Transport(u Use) http.RoundTripper { return transport{e, u} }

type transport struct {
	engine *Engine
	use    Use
}

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	return t.engine.Do(req, t.use)
}

// CloseIdleConnections is what http.Client.CloseIdleConnections calls.
func (t transport) CloseIdleConnections() { t.engine.CloseIdle() }

// Do sends one request: one pass through the door. A URL that is a path alone is at the one host of the policy. Like a transport
// it follows no redirect, closes the body of req in any case, and changes nothing else of req. Errors: those of vault.Session.Use,
// *Error for all that went wrong behind the door.
//
// What one pass allowed package net/http may send again, to the same place: on another connection, if one that was kept from before
// closes without an answer, and the request is a GET, HEAD or OPTIONS or has an Idempotency-Key.
func (e *Engine) Do(req *http.Request, u Use) (*http.Response, error) {
	sent := false
	defer func() {
		if !sent && req.Body != nil {
			req.Body.Close()
		}
	}()
	to, method := destination(req)
	var resp *http.Response
	err := e.session.Use(req.Context(), vault.Request{
		Path: u.Path, Reason: u.Reason, Call: u.Call, Metadata: u.Metadata, Method: method, URL: to,
	}, func(it vault.Item) error {
		mask, err := e.masking(it)
		if err != nil {
			return err
		}
		ctx, end := bare(req.Context(), u.Limits.Header)
		out, err := place(ctx, req, it)
		if err != nil {
			end.now()
			return fmt.Errorf("egress: the value of %s: %w", u.Path, err)
		}
		if out.URL.Host == "" { // as the door has completed it
			out.URL.Scheme, out.URL.Host, _ = strings.Cut(it.Policy.Origin(), "://")
		}
		sent = true
		resp, err = e.pool.of(e.holder, u.Path, it.Policy.Networks).RoundTrip(out)
		end.stopTimer()
		if err == nil {
			err = answer(resp, req, mask, u.Limits, end)
		}
		if err != nil {
			if errors.Is(context.Cause(ctx), errSlow) {
				err = errSlow
			}
			end.now()
			return hide(err, mask)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// CloseIdle closes the connections that are not in use.
func (e *Engine) CloseIdle() { e.pool.CloseIdle() }
