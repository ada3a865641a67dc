// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/keyward-go/keyward/internal/egress"
	"github.com/keyward-go/keyward/internal/front"
)

// headerWait is how long an upstream may take until its headers are there. Bodies may take as long as they like.
const headerWait = 10 * time.Minute

// NewGateway returns the handler of /use/{path}/~/{rest}, which sends a request on with the credential of path applied. Mount it
// at "/use/" without http.ServeMux cleaning the path, as Route does. Errors: vault.ErrInvalid.
func NewGateway(cfg Config) (http.Handler, error) {
	f, err := front.New(front.Config(cfg))
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return &gateway{f, egress.NewPool(cfg.Roots), newMasks()}, nil
}

type gateway struct {
	*front.Front
	pool  *egress.Pool
	masks *masks
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bearer, one := runToken(r.Header)
	caller, no := g.Admit(w, r, bearer)
	if no == nil && !one {
		no = g.TurnAway(r, caller, twoTokens)
	}
	path, rest, ok := cutUse(r.URL.EscapedPath())
	switch {
	case no != nil:
	case !ok:
		no = g.TurnAway(r, caller, noPlace)
	case r.Header["Upgrade"] != nil:
		no = g.TurnAway(r, caller, noUpgrade)
	case strays(r, bearer):
		no = g.TurnAway(r, caller, strayToken)
	}
	if no != nil {
		no.Write(w, r)
		return
	}
	t := &trip{gateway: g, w: w, asked: r, body: &paced{ReadCloser: r.Body, control: http.NewResponseController(w), streams: r.ProtoMajor > 1}, path: path}
	engine := egress.New(caller.Session, string(caller.Holder.Bearer[:]), g.pool, t.mask)
	proxy := httputil.ReverseProxy{
		Transport: engine.Transport(egress.Use{
			Path: path, Reason: r.Header.Get("Keyward-Reason"), Call: cmp.Or(r.Header.Get("Keyward-Call"), caller.ID),
			Limits: egress.Limits{Header: headerWait},
		}),
		Rewrite:        func(p *httputil.ProxyRequest) { rewrite(p.Out, rest, r.Header.Get("Keyward-Host")) },
		ModifyResponse: t.answer,
		ErrorHandler:   t.fail,
		FlushInterval:  -1, // a chunk goes on when it has come
		BufferPool:     &buffers,
		ErrorLog:       discard,
	}
	in := *r
	in.Body = t.body
	defer t.body.end()
	proxy.ServeHTTP(w, &in)
}

var (
	twoTokens  = &front.Refusal{Status: http.StatusBadRequest, Code: "invalid", Message: "Authorization and X-Api-Key bear two different tokens: send one"}
	noPlace    = &front.Refusal{Status: http.StatusNotFound, Code: "not_found", Message: "the gateway serves /use/{path of the secret}/~/{path at its host}"}
	noUpgrade  = &front.Refusal{Status: http.StatusBadRequest, Code: "invalid", Message: "the gateway carries requests and their answers: send no Upgrade"}
	strayToken = &front.Refusal{Status: http.StatusBadRequest, Code: "invalid", Message: "the token stands where it would go on to the upstream: send it in Authorization or X-Api-Key alone"}
)
