// SPDX-License-Identifier: Apache-2.0

package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/vault"
)

// kinds are the tools that there are, in the order in which they are shown.
var kinds = []string{"get_secret", "http_request", "list_secrets"}

// Config says what NewHandler serves.
type Config struct {
	// Session gives the vault as the holder of a token sees it: the method Session of a *vault.Vault. Required.
	Session func(tok vault.Token, from netip.Addr) *vault.Session
	// Hosts are the names and addresses, without a port, by which clients call this server. Empty: localhost, 127.0.0.1 and
	// ::1. A request for any other is refused, so that no web page reaches the server under a name of its own.
	Hosts []string
	// Origins are those whose pages may call, as in "https://console.example.com". Requests without an Origin come from
	// programs and are not concerned.
	Origins []string
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
// connection: a header that names another is not believed. Errors: vault.ErrInvalid.
func NewHandler(cfg Config) (http.Handler, error) {
	h := &handler{cfg: cfg, origins: http.NewCrossOriginProtection(), known: newKnown()}
	if cfg.Session == nil {
		return nil, fmt.Errorf("mcp: %w: Config.Session is required: the method Session of a vault", vault.ErrInvalid)
	}
	h.cfg.Tools = slices.Clone(cfg.Tools)
	if len(cfg.Tools) == 0 {
		h.cfg.Tools = slices.Clone(kinds)
	}
	h.cfg.Hosts = slices.Clone(cfg.Hosts)
	if len(cfg.Hosts) == 0 {
		h.cfg.Hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	for i, name := range h.cfg.Hosts {
		if name != hostname(name) || name == "" || strings.ContainsAny(name, "/*@ ") {
			return nil, fmt.Errorf("mcp: %w: Config.Hosts %d: a lower-case name or an address, without a port", vault.ErrInvalid, i)
		}
	}
	for _, o := range cfg.Origins {
		if err := h.origins.AddTrustedOrigin(o); err != nil {
			return nil, fmt.Errorf("mcp: %w: Config.Origins: %w", vault.ErrInvalid, err)
		}
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
	cfg     Config
	origins *http.CrossOriginProtection
	known   *known
	sdk     http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var from netip.Addr // a Unix socket's is none
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		from = a.Addr()
	}
	bearer := bearerOf(r)
	s := h.cfg.Session(vault.NewToken(bearer), from)
	switch {
	case !slices.Contains(h.cfg.Hosts, hostname(r.Host)):
		h.refuse(w, r, s, http.StatusForbidden)
		return
	case h.foreign(r):
		h.refuse(w, r, s, http.StatusForbidden)
		return
	case bearer == "":
		h.refuse(w, r, s, http.StatusUnauthorized)
		return
	}
	v, err := h.admit(r.Context(), s, bearer, from)
	switch {
	case errors.Is(err, errRecorded):
		turnAway(w, http.StatusUnauthorized, true)
	case errors.Is(err, vault.ErrDenied), errors.Is(err, vault.ErrInvalid):
		h.refuse(w, r, s, http.StatusUnauthorized)
	case err != nil:
		h.cfg.Log.Error("a request could not be admitted", "cause", err)
		turnAway(w, http.StatusServiceUnavailable, true)
	default:
		r = r.Clone(context.WithValue(r.Context(), visitKey{}, v))
		r.Header.Del("Authorization") // not for whatever comes behind
		h.sdk.ServeHTTP(&answer{ResponseWriter: w, visit: v}, r)
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
	turnAway(w, code, r.Header.Get("Authorization") != "")
}

// foreign says whether a page of another origin sends the request. The check of net/http lets methods pass that change
// nothing; here none is served.
func (h *handler) foreign(r *http.Request) bool {
	post := *r
	post.Method = http.MethodPost
	return h.origins.Check(&post) != nil
}

// bearerOf returns the text of the one bearer that r carries, or "".
func bearerOf(r *http.Request) string {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return ""
	}
	scheme, text, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(text)
}

// hostname is a Host without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	return strings.ToLower(host)
}
