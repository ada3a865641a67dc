// SPDX-License-Identifier: Apache-2.0

package mcp

import (
	"bytes"
	"context"
	"fmt"
	"io"
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
	// Vault is what agents reach, each as its token says. Required.
	Vault *vault.Vault
	// Hosts, Origins and Proxies say whom the handler serves: the names, without a port, by which clients call it (empty:
	// localhost, 127.0.0.1 and ::1), the origins whose pages may call ("https://console.example.com"; programs send none), and
	// the networks of proxies whose X-Forwarded-For is believed. Anything else is refused.
	Hosts, Origins []string
	Proxies        []netip.Prefix
	// Rate and Burst bound the requests of one grant with all that was narrowed from it: so many a second on average, so many at
	// once; above that it is 429, with Retry-After, and nothing is recorded. Zero: 100 and 200. The calls of tools among them have the
	// rate of the agent (agent.WithRate), which is lower unless Options say otherwise.
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
	h := &handler{cfg: cfg, known: newKnown()}
	h.cfg.Tools = slices.Clone(cfg.Tools)
	if len(cfg.Tools) == 0 {
		h.cfg.Tools = slices.Clone(kinds)
	}
	for _, kind := range h.cfg.Tools {
		if !slices.Contains(kinds, kind) {
			return nil, fmt.Errorf("mcp: %w: Config.Tools: there is no tool %q", vault.ErrInvalid, kind)
		}
	}
	var err error
	h.Front, err = front.New(front.Config{
		Vault: cfg.Vault, Hosts: cfg.Hosts, Origins: cfg.Origins, Proxies: cfg.Proxies, Rate: cfg.Rate, Burst: cfg.Burst, Log: cfg.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("mcp: %w", err)
	}
	h.sdk = sdk.NewStreamableHTTPHandler(func(r *http.Request) *sdk.Server { return visitOf(r.Context()).server }, &sdk.StreamableHTTPOptions{
		Stateless: true, JSONResponse: true, MaxRequestBodyBytes: maxMessage, PropagateRequestCancellation: true,
		DisableLocalhostProtection: true, // the check of the Host here is stricter
	})
	return h, nil
}

var busy = &front.Refusal{Status: http.StatusServiceUnavailable, Code: "busy", Message: "too much of this token is under way: wait, then ask again", RetryAfter: 1}

type handler struct {
	*front.Front
	cfg   Config
	known *known
	sdk   http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, no := h.Admit(w, r, front.Bearer(r))
	switch {
	case no != nil:
	case !c.Proven:
		no = h.Stranger(r, c)
	case c.IsOp: // there are no tools for operators
		no = h.TurnAway(r, c, front.RefusalOf(vault.ErrDeadToken))
	}
	var v *visit
	if no == nil {
		v, no = h.visit(r, c)
	}
	if no != nil {
		no.Write(w, r)
		return
	}
	body, done, no := front.ReadBody(w, r, maxMessage)
	defer done()
	if no != nil {
		no.Write(w, r) // like all that is wrong with a message
		return
	}
	n := int64(len(body))
	defer v.held.Add(-n)
	if v.held.Add(n) > maxHeld { // else one agent with slow calls could hold all that large bodies may take
		busy.Write(w, r)
		return
	}
	in := r.Clone(context.WithValue(r.Context(), visitKey{}, v))
	in.Body = io.NopCloser(bytes.NewReader(body))
	in.Header.Del("Authorization") // not for whatever comes behind
	h.sdk.ServeHTTP(&answer{ResponseWriter: w, visit: v, asked: r}, in)
	if v.dead.Load() {
		h.known.forget(v.who)
	}
}
