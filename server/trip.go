// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/keyward-go/keyward/internal/egress"
	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

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
	for name := range resp.Header {
		if strings.HasPrefix(name, "Keyward-") { // it would look like ours
			delete(resp.Header, name)
		}
	}
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
	no := front.RefusalOf(err)
	switch {
	case t.body.broken.Load():
		no = &front.Refusal{Status: http.StatusBadRequest, Code: "invalid", Message: "the body of the request broke off, or came too slowly"}
	case errors.Is(err, errElsewhere), errors.Is(err, egress.ErrUnfit):
		no = &front.Refusal{Status: http.StatusBadGateway, Code: "upstream", Message: err.Error()}
	case errors.Is(err, egress.ErrAddress):
		no = &front.Refusal{Status: http.StatusForbidden, Code: "denied", Message: front.Say(egress.ErrAddress)}
	case errors.As(err, &upstream) && !errors.Is(err, vault.ErrInvalid):
		no = &front.Refusal{Status: http.StatusBadGateway, Code: "upstream", Message: upstream.Error()}
		if upstream.Timeout() {
			no.Status = http.StatusGatewayTimeout
		}
	case no.Status >= http.StatusInternalServerError:
		t.Log.Error("a use failed", "path", t.path, "cause", err)
	case strings.HasSuffix(no.Message, "no such method, host and path") && noScheme(t.asked.Header.Get("Keyward-Host")):
		no.Message += "; a Keyward-Host without http:// is meant with https"
	}
	no.Write(w, t.asked)
}
