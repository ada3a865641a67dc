// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"

	"golang.org/x/time/rate"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/internal/egress"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// Agent is what one agent holds: its tools, its HTTP clients, and the memory of the values that they touched. It is safe
// for concurrent use and needs no closing; what it hands out dies with its token.
type Agent struct {
	session  *vault.Session
	name     string
	can      rights
	redactor *redact.Redactor
	egress   *egress.Engine
	calls    *rate.Limiter
	freeText bool
}

// Option changes what New makes.
type Option func(*options)

type options struct {
	roots     *x509.CertPool
	perSecond float64
	burst     int
	freeText  bool
}

// WithRoots has the HTTP clients trust the certificates of pool in place of the system's: for an upstream whose authority is
// your own.
func WithRoots(pool *x509.CertPool) Option { return func(o *options) { o.roots = pool } }

// WithRate bounds the tool calls of this Agent: so many a second on average, and at most burst at once. The default is 10 and
// 20. A call above it is answered with a text that says to wait.
func WithRate(perSecond float64, burst int) Option {
	return func(o *options) { o.perSecond, o.burst = perSecond, burst }
}

// WithoutFreeText keeps what a model writes (reasons and call ids) out of the records.
func WithoutFreeText() Option { return func(o *options) { o.freeText = false } }

// New returns what the agent of s holds. s is the session of a token: an operator in this process, or an agent key, which can
// only issue, is vault.ErrInvalid. Whether the token still lives is decided at each use.
func New(ctx context.Context, s *vault.Session, opts ...Option) (*Agent, error) {
	claims, err := s.Claims(ctx)
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	if len(claims) == 0 || len(claims) == 1 && strings.HasPrefix(claims[0].ID, "key:") {
		return nil, fmt.Errorf("agent: %w: an agent acts by a token: give New the session that Issue returned", vault.ErrInvalid)
	}
	o := options{perSecond: 10, burst: 20, freeText: true}
	for _, opt := range opts {
		opt(&o)
	}
	if o.perSecond <= 0 || o.burst < 1 {
		return nil, fmt.Errorf("agent: %w: a rate is above zero, a burst at least one", vault.ErrInvalid)
	}
	a := &Agent{
		session:  s,
		can:      rightsOf(claims),
		redactor: new(redact.Redactor),
		calls:    rate.NewLimiter(rate.Limit(o.perSecond), o.burst),
		freeText: o.freeText,
	}
	for _, l := range claims {
		if l.Grant.Agent != "" {
			a.name = l.Grant.Agent
		}
	}
	if a.name == "" {
		return nil, fmt.Errorf("agent: %w: the token names no agent", vault.ErrInvalid)
	}
	a.egress = egress.New(s, "", egress.NewPool(o.roots), egress.Remember(a.redactor))
	return a, nil
}

// Name returns the agent's full name, as its records show it.
func (a *Agent) Name() string { return a.name }

// Redactor returns the memory of the values that this run has touched: for your logs, spans and answers. It knows those of this
// Agent alone: a program with several nests what they return, as in a.Redactor().Handler(b.Redactor().Handler(h)).
func (a *Agent) Redactor() *redact.Redactor { return a.redactor }

// text is free text as it may stand in a record: without the values that the run has touched.
func (a *Agent) text(s string) string {
	if !a.freeText {
		return ""
	}
	return a.redactor.String(s)
}

// isValue reports whether what a model took for a path is nothing but a value that the run has touched. Its refusal would bring
// the value into the log.
func (a *Agent) isValue(path string) bool { return a.redactor.String(path) == redact.Mask }

// use takes the use of one secret after the other, and calls f within all of them, with their values in the same order. It is
// the one way of this package to a value that is lent: the redactor knows each before anything else does.
func (a *Agent) use(ctx context.Context, reqs []vault.Request, f func(values []string) error) error {
	var values []string
	var next func() error
	next = func() error {
		if len(values) == len(reqs) {
			return f(values)
		}
		return a.session.Use(ctx, reqs[len(values)], func(it vault.Item) error {
			if err := a.redactor.Add(it.Value); err != nil {
				return err
			}
			values = append(values, it.Value.Reveal())
			return next()
		})
	}
	return next()
}

// rights are what a token is good for on some path.
type rights struct{ read, use, list bool }

// rightsOf is what every link allows on some path; whether on the same one is decided at each call. A link without scopes
// leaves those of the one before.
func rightsOf(claims vault.Claims) rights {
	r := rights{true, true, true}
	for _, l := range claims {
		if l.Grant.Scopes.IsZero() {
			continue
		}
		var own rights
		for text := range strings.FieldsSeq(l.Grant.Scopes.String()) {
			action, _, _ := strings.Cut(strings.TrimPrefix(text, "secrets:"), ":")
			switch scope.Action(action) {
			case scope.Any, scope.Read:
				own = rights{true, true, true}
			case scope.Use:
				own.use, own.list = true, true
			case scope.List:
				own.list = true
			}
		}
		r = rights{r.read && own.read, r.use && own.use, r.list && own.list}
	}
	return r
}
