// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/keyward-go/keyward/internal/egress"
	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

// headerWait is how long an upstream may take until its headers are there. Bodies may take as long as they like.
const headerWait = 10 * time.Minute

// NewGateway returns the handler of /use/{path}/~/{rest}, which sends a request on with the credential of path applied. Mount it
// at "/use/" without http.ServeMux cleaning the path, as Handler does. Errors: vault.ErrInvalid.
func NewGateway(cfg Config) (http.Handler, error) {
	f, err := cfg.front()
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
	caller, no := g.Admit(r, bearer)
	if no == nil && !one {
		no = g.Turn(r, caller, twoTokens)
	}
	path, rest, ok := cutUse(r.URL.EscapedPath())
	switch {
	case no != nil:
	case !ok:
		no = g.Turn(r, caller, noPlace)
	case r.Header["Upgrade"] != nil:
		no = g.Turn(r, caller, noUpgrade)
	case strays(r, bearer):
		no = g.Turn(r, caller, strayToken)
	}
	if no != nil {
		no.Write(w, r)
		return
	}
	t := &trip{gateway: g, w: w, asked: r, body: &paced{ReadCloser: r.Body, control: http.NewResponseController(w)}, path: path}
	engine := egress.New(caller.Session, g.pool, t.mask)
	proxy := httputil.ReverseProxy{
		Transport: engine.Transport(egress.Use{
			Path: path, Reason: r.Header.Get("Keyward-Reason"), Call: r.Header.Get("Keyward-Call"),
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

// strays reports whether the token of the caller stands in a place that is sent on.
func strays(r *http.Request, token string) bool {
	if !strings.HasPrefix(token, "kw_") { // it is none
		return false
	}
	if strings.Contains(r.URL.EscapedPath(), token) || strings.Contains(r.URL.RawQuery, token) {
		return true
	}
	for name, values := range r.Header {
		for _, v := range values {
			if strings.Contains(v, token) && name != "Authorization" && name != "X-Api-Key" {
				return true
			}
		}
	}
	return false
}

// runToken returns the token that h bears: SDKs have one place or the other for their key. one is false if there are two.
func runToken(h http.Header) (token string, one bool) {
	bearer, keys := front.Bearer(&http.Request{Header: h}), h.Values("X-Api-Key")
	switch {
	case len(keys) == 0:
		return bearer, true
	case len(keys) > 1, len(h.Values("Authorization")) > 0 && bearer != keys[0]:
		return keys[0], false
	}
	return keys[0], true
}

// cutUse takes an escaped URL path apart. The path of a secret has one spelling, without escapes; "~" is no segment of one.
func cutUse(escaped string) (path, rest string, ok bool) {
	after, ok := strings.CutPrefix(escaped, "/use/")
	if !ok {
		return "", "", false
	}
	path, rest, ok = strings.Cut(after, "/~/")
	return path, "/" + rest, ok
}

// rewrite makes of out the request to the upstream: to the one host of the policy, or to host if the caller names it. The engine
// holds it against the policy, and takes the rest of what is between two hops.
func rewrite(out *http.Request, rest, host string) {
	u := &url.URL{RawPath: rest, RawQuery: out.URL.RawQuery}
	u.Path, _ = url.PathUnescape(rest) // net/http has parsed it
	if host != "" {
		u.Scheme, u.Host = "https", host
		if plain, ok := strings.CutPrefix(host, "http://"); ok {
			u.Scheme, u.Host = "http", plain
		}
	}
	out.URL, out.Host = u, ""
	for name := range out.Header {
		if strings.HasPrefix(name, "Keyward-") || strings.HasPrefix(name, "X-Forwarded-") { // what a proxy in front of this has added
			delete(out.Header, name)
		}
	}
	for _, name := range []string{"Authorization", "X-Api-Key", "X-Real-Ip", "Via"} {
		out.Header.Del(name)
	}
}

// trip is one request on its way.
type trip struct {
	*gateway
	w      http.ResponseWriter
	asked  *http.Request
	body   *paced
	path   string
	origin string // of the policy, once the door let it pass
}

// answer begins an answer, which may be before the body of the request has ended. net/http would then read that first, or, told not
// to, take what is left of it for the next request: so there is none.
func (t *trip) answer(resp *http.Response) error {
	resp.Header.Del(front.ErrorHeader) // it would look like ours
	if t.asked.ProtoMajor == 1 && t.asked.ContentLength != 0 && !t.body.ended.Load() {
		_ = t.body.control.EnableFullDuplex()
		t.w.Header().Set("Connection", "close")
	}
	return t.redirect(resp)
}

// redirect holds a redirect against where it leads: the caller must come back through the door, or it would take its token there.
// The Location of any other answer is for the caller to read, and leads back here where it can.
func (t *trip) redirect(resp *http.Response) error {
	all := resp.Header["Location"]
	if len(all) == 0 {
		return nil
	}
	back, err := t.back(resp.Request.URL, all[0])
	switch redirects := resp.StatusCode/100 == 3; {
	case redirects && (err != nil || len(all) > 1):
		return errElsewhere
	case err == nil && len(all) == 1:
		resp.Header.Set("Location", back)
	}
	return nil
}

// back returns the place at the gateway of a Location that is at the host of base.
func (t *trip) back(base *url.URL, location string) (string, error) {
	u, err := url.Parse(location)
	if err != nil {
		return "", errElsewhere
	}
	if base.Host == "" {
		scheme, host, _ := strings.Cut(t.origin, "://")
		base = &url.URL{Scheme: scheme, Host: host, Path: base.Path, RawPath: base.RawPath}
	}
	u = base.ResolveReference(u)
	if u.Scheme != base.Scheme || u.Host != base.Host || u.User != nil {
		return "", errElsewhere
	}
	back := "/use/" + t.path + "/~/" + strings.TrimPrefix(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		back += "?" + u.RawQuery
	}
	return back, nil
}

var errElsewhere = errors.New("the upstream redirects to another place, where the token of the caller has no business")

// fail answers what went wrong: the door's refusals with their status, all that an upstream did as 502. An address that the policy
// does not allow stays so: clients send a request again that got 502.
func (t *trip) fail(w http.ResponseWriter, _ *http.Request, err error) {
	var upstream *egress.Error
	no := front.StatusOf(err)
	switch {
	case t.body.broken.Load():
		no = &front.Refusal{Status: http.StatusBadRequest, Code: "invalid", Message: "the body of the request broke off, or came too slowly"}
	case errors.Is(err, errElsewhere), errors.Is(err, egress.ErrUnfit):
		no = &front.Refusal{Status: http.StatusBadGateway, Code: "upstream", Message: err.Error()}
	case errors.Is(err, egress.ErrAddress):
		no = &front.Refusal{Status: http.StatusForbidden, Code: "denied", Message: egress.ErrAddress.Error()}
	case errors.As(err, &upstream) && !errors.Is(err, vault.ErrInvalid):
		no = &front.Refusal{Status: http.StatusBadGateway, Code: "upstream", Message: upstream.Error()}
		if upstream.Timeout() {
			no.Status = http.StatusGatewayTimeout
		}
	case no.Status >= http.StatusInternalServerError:
		t.Log.Error("a use failed", "path", t.path, "cause", err)
	}
	no.Write(w, t.asked)
}
