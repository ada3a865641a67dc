// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keyward-go/keyward/internal/egress"
)

const (
	maxAnswer  = 64 << 10 // of a body that is told to a model
	maxKind    = 128      // of its type; a longer one is left out
	maxRead    = 1 << 20  // of an answer that is read for it
	toolBudget = 30 * time.Second
)

const unreachableText = "The request was allowed, but the upstream gave no usable answer. You may try once more."

type httpInput struct {
	Path        string `json:"path"`
	URL         string `json:"url"`
	Method      string `json:"method"`
	Body        string `json:"body"`
	ContentType string `json:"content_type"`
	Reason      string `json:"reason"`
}

type httpAnswer struct {
	Status      int    `json:"status"`
	ContentType string `json:"content_type,omitempty"`
	Body        string `json:"body"`
	Truncated   bool   `json:"truncated,omitempty"`
}

func (a *Agent) httpRequest() *Tool {
	return &Tool{
		agent: a,
		kind:  "http_request",
		description: "Sends an HTTP request with a secret applied to it, which you do not see. Where the secret goes in the request is known; " +
			"it can be sent to its own hosts only (list_secrets tells them). Give the whole URL. " +
			`Input: {"path": "production/search/api-key", "url": "https://api.example.com/search?q=go", "method": "GET", "reason": "why"}; ` +
			`for a body, "body" and "content_type" too.`,
		schema: json.RawMessage(`{"type":"object","properties":{` + pathSchema + `,` +
			`"url":{"type":"string","minLength":1,"maxLength":8192,"description":"The whole URL, query included"},` +
			`"method":{"type":"string","enum":["GET","HEAD","POST","PUT","PATCH","DELETE"],"description":"GET if left out"},` +
			`"body":{"type":"string","maxLength":131072,"description":"The body to send"},` +
			`"content_type":{"type":"string","maxLength":128,"description":"The type of the body; application/json if left out"},` +
			reasonSchema + `},"required":["path","url"],"additionalProperties":false}`),
		run: a.request,
	}
}

func (a *Agent) request(parent context.Context, call, input string) (string, error) {
	in, err := parse[httpInput](input, nil)
	if err != nil || a.isValue(in.Path) {
		return "", errMalformed
	}
	ctx, cancel := context.WithTimeout(parent, toolBudget)
	defer cancel()
	req, err := in.build(ctx)
	if err != nil {
		return "", errMalformed
	}
	client := a.client(egress.Use{
		Path: in.Path, Reason: a.text(in.Reason), Call: call,
		Limits: egress.Limits{Body: maxRead},
	})
	door := &outcome{RoundTripper: client.Transport}
	client.Transport = door
	resp, err := client.Do(req)
	if err == nil {
		defer resp.Body.Close()
		var body []byte
		if body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1)); err == nil {
			text, err := json.Marshal(tell(resp, body))
			return string(text), err
		}
	}
	switch {
	case parent.Err() == nil && door.passed():
		return unreachableText, nil
	case errors.Is(door.err, egress.ErrUnfit): // no input of the model's would do
		return "", errors.New(door.err.Error())
	}
	return "", cmp.Or(door.err, err)
}

// outcome keeps what the last hop came to.
type outcome struct {
	http.RoundTripper
	err error
}

func (o *outcome) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	resp, o.err = o.RoundTripper.RoundTrip(req)
	return resp, o.err
}

// passed reports whether the door let the last hop pass and it was sent, so that it is the upstream, or where it redirects to,
// that failed.
func (o *outcome) passed() bool {
	var upstream *egress.Error
	return o.err == nil || errors.As(o.err, &upstream)
}

// build makes the request that the model asked for. What it may say of it is the method, the URL, a body and its type; every
// other header is ours.
func (in httpInput) build(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	if in.Body != "" {
		body = strings.NewReader(in.Body)
	}
	switch in.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, errMalformed
	}
	req, err := http.NewRequestWithContext(ctx, in.Method, in.URL, body)
	if err != nil {
		return nil, err
	}
	if in.Body != "" {
		kind := "application/json"
		if in.ContentType != "" {
			if kind, _, err = mime.ParseMediaType(in.ContentType); err != nil {
				return nil, err
			}
		}
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("User-Agent", "keyward")
	return req, nil
}

// tell is what a model is told of an answer, which is masked already.
func tell(resp *http.Response, body []byte) httpAnswer {
	out := httpAnswer{Status: resp.StatusCode, Truncated: len(body) > maxAnswer}
	if kind := resp.Header.Get("Content-Type"); len(kind) <= maxKind {
		out.ContentType = kind
	}
	body = body[:min(len(body), maxAnswer)]
	if out.Truncated { // not in the middle of a character
		for n := 0; n < utf8.UTFMax && len(body) > 0 && !utf8.RuneStart(body[len(body)-1]); n++ {
			body = body[:len(body)-1]
		}
		if len(body) > 0 && !utf8.FullRune(body[len(body)-1:]) {
			body = body[:len(body)-1]
		}
	}
	if out.Body = string(body); !utf8.Valid(body) {
		out.Body = "(binary data, not shown)"
	}
	return out
}
