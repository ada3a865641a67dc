// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

// place returns a copy of req that carries the value as the policy of its path says. What the caller has put in the same place is
// replaced: SDKs put a placeholder there. So is Authorization, if the value goes into another header: two credentials of one request
// are for the upstream to choose between.
func place(ctx context.Context, req *http.Request, it vault.Item) (*http.Request, error) {
	out := req.Clone(ctx)
	if out.Header == nil {
		out.Header = http.Header{}
	}
	out.Trailer = nil
	out.TransferEncoding = nil // "identity" has net/http send a body without saying where it ends
	out.Close = oddBody(out)
	drop(out.Header, notForwarded...)
	value := it.Value.Reveal()
	kind, name, _ := strings.Cut(it.Policy.Placement, ":")
	switch kind {
	case "", "bearer":
		return out, setHeader(out, "Authorization", "Bearer ", value)
	case "basic":
		return out, setHeader(out, "Authorization", "Basic ", base64.StdEncoding.EncodeToString([]byte(name+":"+value)))
	case "header":
		return out, setHeader(out, name, "", value)
	case "query":
		return out, setQuery(out, name, value)
	}
	return nil, fmt.Errorf("%w: a placement that this version does not know", vault.ErrInvalid)
}

// oddBody reports whether r, or its answer, may have a body where servers look for none: they would take it for the next request, or
// net/http for an answer that nobody asked for, of which it tells package log. Nothing comes next on such a connection.
func oddBody(r *http.Request) bool {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		return false
	case http.MethodHead:
		return true
	}
	return r.Body != nil && r.Body != http.NoBody
}

// notForwarded are headers of the caller that do not go out: credentials of another kind, what is between two hops only, what
// net/http writes itself (it leaves out only the usual spelling: in another one, there would be two), and what
// would have the answer come in a form that cannot be masked: encoded, or in parts of the caller's choice.
var notForwarded = []string{
	"authorization", "proxy-authorization", "proxy-connection", "connection", "keep-alive", "te", "trailer", "upgrade",
	"host", "content-length", "transfer-encoding", "accept-encoding", "range", "if-range",
}

// drop removes the headers of these names, which are in lower case, in every spelling: a map may hold more than one.
func drop(h http.Header, names ...string) {
	for key := range h {
		if slices.Contains(names, spelling(key)) {
			delete(h, key)
		}
	}
}

// ErrUnfit is in the error of a value that cannot stand where its policy places it: nothing that the sender of the request
// could mend.
var ErrUnfit = errors.New("it has bytes that no header can hold (a line break at its end?): put it again without them")

func setHeader(out *http.Request, name, before, value string) error {
	if value == "" || strings.TrimSpace(value) != value || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%w: %w", vault.ErrInvalid, ErrUnfit)
	}
	drop(out.Header, spelling(name))
	out.Header.Set(name, before+value)
	return nil
}

func setQuery(out *http.Request, name, value string) error {
	query, err := url.ParseQuery(out.URL.RawQuery)
	if err != nil {
		return fmt.Errorf("%w: the query of the request is malformed", vault.ErrInvalid)
	}
	if query.Has(name) {
		return fmt.Errorf("%w: the request has a query %s already", vault.ErrInvalid, name)
	}
	if out.URL.RawQuery != "" {
		out.URL.RawQuery += "&"
	}
	out.URL.RawQuery += url.QueryEscape(name) + "=" + url.QueryEscape(value)
	return nil
}
