// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

// Bounds of a body: a value may need escapes, the rest is small.
const (
	maxLarge = 2 << 20
	maxSmall = 64 << 10
)

const apiPrefix = "/api/v1/"

//go:embed openapi.json
var openAPI []byte

// operation is one place of the API: POST /api/v1/{name}, JSON in and out.
type operation struct {
	name    string
	about   string // for the OpenAPI file
	limit   int64
	by      string // who may ask, for the OpenAPI file
	in, out reflect.Type
	serve   func(*api, http.ResponseWriter, *http.Request, front.Caller)
}

// forCaller is an operation that tokens, agent keys or operators may ask for; which, the door says.
func forCaller[In, Out any](name, about string, limit int64, f func(context.Context, front.Door, In) (Out, error)) operation {
	return answering(name, about, "token, agent key or operator", limit, func(ctx context.Context, c front.Caller, in In) (Out, error) {
		return f(ctx, c.Door(), in)
	})
}

// forOperator is an operation for operators. Whoever else asks is one without a credential, to the door and its record.
func forOperator[In, Out any](name, about string, limit int64, f func(context.Context, *vault.Operator, In) (Out, error)) operation {
	return answering(name, about, "operator", limit, func(ctx context.Context, c front.Caller, in In) (Out, error) {
		return f(ctx, c.Operator, in)
	})
}

func answering[In, Out any](name, about, by string, limit int64, f func(context.Context, front.Caller, In) (Out, error)) operation {
	return operation{name, about, limit, by, reflect.TypeFor[In](), reflect.TypeFor[Out](), func(a *api, w http.ResponseWriter, r *http.Request, c front.Caller) {
		var in In
		if no := front.ReadJSON(w, r, limit, &in); no != nil {
			a.TurnAway(r, c, no).Write(w, r)
			return
		}
		if b, ok := any(&in).(called); ok {
			b.call(c.ID)
		}
		out, err := f(r.Context(), c, in)
		if err != nil {
			a.Refused(r, c, err).Write(w, r)
			return
		}
		front.WriteJSON(w, http.StatusOK, out)
	}}
}

// called is a body that has the id of a call: that of the request, if it says none.
type called interface{ call(id string) }

type api struct {
	*front.Front
	operations map[string]operation
	readiness  *readiness
}

// NewAPI returns the handler of /api/v1/, /healthz and /readyz. Its operations are described in openapi.json, which it serves.
// Errors: vault.ErrInvalid.
func NewAPI(cfg Config) (http.Handler, error) {
	f, err := front.New(front.Config(cfg))
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	a := &api{f, map[string]operation{}, &readiness{vault: cfg.Vault, log: f.Log}}
	for _, op := range operations {
		a.operations[op.name] = op
	}
	return a, nil
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.EscapedPath(); {
	case path == "/healthz" && isRead(r):
		front.WriteJSON(w, http.StatusOK, status{"ok"})
	case path == "/readyz" && isRead(r):
		a.ready(w, r)
	case path == apiPrefix+"openapi.json" && isRead(r) && a.Serves(r):
		front.NoStore(w.Header())
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(openAPI)
	default:
		a.operate(w, r, strings.TrimPrefix(path, apiPrefix))
	}
}

// isRead reports whether r asks to be shown something, and sends nothing.
func isRead(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.ContentLength == 0
}

func (a *api) operate(w http.ResponseWriter, r *http.Request, name string) {
	c, no := a.Admit(w, r, front.Bearer(r))
	if no == nil && !c.Proven {
		no = a.Stranger(r, c) // whatever one sends is not read
	}
	op, ok := a.operations[name]
	switch {
	case no != nil:
	case !ok:
		no = a.TurnAway(r, c, noOperation)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		no = a.TurnAway(r, c, postOnly)
	}
	if no != nil {
		no.Write(w, r)
		return
	}
	op.serve(a, w, r, c)
}

var (
	noOperation = &front.Refusal{Status: http.StatusNotFound, Code: "not_found", Message: "there is no such operation: /api/v1/openapi.json lists them"}
	postOnly    = &front.Refusal{Status: http.StatusMethodNotAllowed, Code: "invalid", Message: "operations are asked for with POST"}
	notReady    = front.RefusalOf(vault.ErrClosed) // whatever it is: its log says so
)

type status struct {
	Status string `json:"status"`
}

// seconds is a duration in a body.
func seconds(n int64) (time.Duration, error) {
	if n < 0 || n > int64(366*24*time.Hour/time.Second) {
		return 0, front.Malformed("ttl_seconds: 0 to a year's")
	}
	return time.Duration(n) * time.Second, nil
}
