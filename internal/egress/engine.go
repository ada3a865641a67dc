// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/vault"
)

// Engine sends the requests of one session. It is safe for concurrent use.
type Engine struct {
	session  *vault.Session
	redactor *redact.Redactor
	dialers  dialers
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

// New returns an engine that remembers in r what it has applied. roots are the authorities of upstreams; nil: the system's.
func New(s *vault.Session, r *redact.Redactor, roots *x509.CertPool) *Engine {
	return &Engine{session: s, redactor: r, dialers: dialers{roots: roots}}
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

// Do sends one request: one pass through the door. Like a transport it follows no redirect, closes the body of req in any case,
// and changes nothing else of req. Errors: those of vault.Session.Use, *Error for all that went wrong behind the door.
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
		if err := e.redactor.Add(it.Value); err != nil {
			return err
		}
		ctx, end := bare(req.Context(), u.Limits.Header)
		out, err := place(ctx, req, it)
		if err != nil {
			end.now()
			return fmt.Errorf("egress: the value of %s: %w", u.Path, err)
		}
		sent = true
		resp, err = e.dialers.of(it.Policy.Networks).RoundTrip(out)
		end.stopTimer()
		if err == nil {
			err = e.answer(resp, req, u.Limits, end)
		}
		if err != nil {
			if errors.Is(context.Cause(ctx), errSlow) {
				err = errSlow
			}
			end.now()
			return e.hide(err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// CloseIdle closes the connections that are not in use.
func (e *Engine) CloseIdle() { e.dialers.closeIdle() }
