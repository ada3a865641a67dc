// SPDX-License-Identifier: Apache-2.0

package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

// kinds are the tools that there are, in the order in which they are shown.
var kinds = []string{"get_secret", "http_request", "list_secrets"}

// Config says what NewHandler serves.
type Config struct {
	// Session gives the vault as the holder of a token sees it: the method Session of a *vault.Vault. Required.
	Session func(tok vault.Token, from netip.Addr) *vault.Session
	// Hosts, Origins and Proxies say whom the handler serves: the names, without a port, by which clients call it (empty:
	// localhost, 127.0.0.1 and ::1), the origins whose pages may call ("https://console.example.com"; programs send none), and
	// the networks of proxies whose X-Forwarded-For is believed. Anything else is refused.
	Hosts, Origins []string
	Proxies        []netip.Prefix
	// Rate and Burst bound the requests of one grant with all that was narrowed from it: so many a second on average, so many at
	// once; above that it is 429, with Retry-After, and nothing is recorded. Zero: 100 and 200.
	Rate  float64
	Burst int
	// Tools are the kinds that agents are shown. Empty: get_secret, http_request and list_secrets.
	Tools []string
	// Options are those of every agent.
	Options []agent.Option
	// Log is told of faults; nil: nobody is.
	Log *slog.Logger
}

// NewHandler returns a handler that serves the agents of a vault over streamable HTTP, on one path for all: stateless, and
// with answers in JSON. It keeps, for each token and the address that it comes from, its rate and the values that it has
// touched, until it is dead; at most 1,024 grants, and 16 of each counted with its narrowings. The address is that of the
// connection, unless that is a proxy's which Config names. Errors: vault.ErrInvalid.
func NewHandler(cfg Config) (http.Handler, error) {
	h := &handler{cfg: cfg, known: newKnown(), limits: front.NewLimits(cfg.Rate, cfg.Burst)}
	if cfg.Session == nil {
		return nil, fmt.Errorf("mcp: %w: Config.Session is required: the method Session of a vault", vault.ErrInvalid)
	}
	h.cfg.Tools = slices.Clone(cfg.Tools)
	if len(cfg.Tools) == 0 {
		h.cfg.Tools = slices.Clone(kinds)
	}
	var err error
	if h.guard, err = front.NewGuard(cfg.Hosts, cfg.Origins, cfg.Proxies); err != nil {
		return nil, fmt.Errorf("mcp: %w", err)
	}
	for _, kind := range h.cfg.Tools {
		if !slices.Contains(kinds, kind) {
			return nil, fmt.Errorf("mcp: %w: Config.Tools: there is no tool %q", vault.ErrInvalid, kind)
		}
	}
	if h.cfg.Log == nil {
		h.cfg.Log = slog.New(slog.DiscardHandler)
	}
	h.sdk = sdk.NewStreamableHTTPHandler(func(r *http.Request) *sdk.Server { return visitOf(r.Context()).server }, &sdk.StreamableHTTPOptions{
		Stateless: true, JSONResponse: true, MaxRequestBodyBytes: maxMessage, PropagateRequestCancellation: true,
		DisableLocalhostProtection: true, // the check of the Host here is stricter
	})
	return h, nil
}

type handler struct {
	cfg    Config
	guard  *front.Guard
	limits *front.Limits
	known  *known
	sdk    http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, bearer := h.guard.From(r), front.Bearer(r)
	s := h.cfg.Session(vault.NewToken(bearer), from)
	switch {
	case !h.guard.Serves(r):
		h.refuse(w, r, s, http.StatusForbidden)
		return
	case bearer == "":
		h.refuse(w, r, s, http.StatusUnauthorized)
		return
	}
	if no := h.limits.Take(r.Context(), front.Caller{Session: s}, from); no != nil {
		no.Write(w, r)
		return
	}
	v, err := h.admit(r.Context(), s, bearer, from)
	switch {
	case errors.Is(err, errRecorded):
		turnAway(w, r, http.StatusUnauthorized)
	case errors.Is(err, vault.ErrDenied), errors.Is(err, vault.ErrInvalid):
		h.refuse(w, r, s, http.StatusUnauthorized)
	case err != nil:
		h.cfg.Log.Error("a request could not be admitted", "cause", err)
		turnAway(w, r, http.StatusServiceUnavailable)
	default:
		asked := r
		r = r.Clone(context.WithValue(r.Context(), visitKey{}, v))
		r.Header.Del("Authorization") // not for whatever comes behind
		h.sdk.ServeHTTP(&answer{ResponseWriter: w, visit: v, asked: asked}, r)
		if v.dead.Load() {
			h.known.forget(v.who)
		}
	}
}

// refuse has the vault write down what it turns away: the door refuses a request that names no path.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, s *vault.Session, code int) {
	_, err := s.Get(r.Context(), vault.Request{})
	if !errors.Is(err, vault.ErrDenied) && !errors.Is(err, vault.ErrInvalid) {
		h.cfg.Log.Error("a refusal could not be recorded", "cause", err)
	}
	turnAway(w, r, code)
}
