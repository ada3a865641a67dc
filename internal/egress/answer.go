// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/keyward-go/keyward/agent/redact"
)

// answer makes resp, what came back for a copy of req, the answer to req: masked and bounded. end is called when its
// body has ended or is closed. On an error the body is closed.
func answer(resp *http.Response, req *http.Request, mask *redact.Redactor, limits Limits, end ending) error {
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		resp.Body.Close()
		return errSwitched
	case resp.StatusCode < http.StatusOK: // net/http takes 099, and panics when it is to answer with it
		resp.Body.Close()
		return errStatus
	}
	for _, v := range resp.Header.Values("Content-Encoding") {
		if req.Method != http.MethodHead && v != "" && !strings.EqualFold(v, "identity") {
			resp.Body.Close()
			return errEncoding
		}
	}
	resp.Request = req
	resp.TLS = nil // nobody needs it, and it holds keys of the session
	resp.Status = mask.String(resp.Status)
	mask.Header(resp.Header)
	mask.Header(resp.Trailer)
	if req.Method != http.MethodHead && resp.ContentLength != 0 {
		resp.ContentLength = -1 // what is masked has another length
		resp.Header.Del("Content-Length")
	}
	b := &body{mask: mask, upstream: resp.Body, resp: resp, end: end.now, left: -1}
	if limits.Body > 0 && !isStream(resp.Header) {
		b.left = limits.Body
	}
	b.masked = mask.Reader(struct {
		io.Reader
		io.Closer
	}{readerFunc(b.readUpstream), resp.Body})
	resp.Body = b
	return nil
}

// isStream reports whether an answer is one that goes on as long as it likes.
func isStream(h http.Header) bool {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	switch kind {
	case "text/event-stream", "application/x-ndjson", "application/jsonl", "application/json-seq", "multipart/x-mixed-replace":
		return true
	}
	return false
}

// body is the body of an answer, on its way to the caller.
type body struct {
	mask     *redact.Redactor
	resp     *http.Response
	upstream io.ReadCloser
	masked   io.ReadCloser
	left     int64 // -1: no limit
	end      func()
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.masked.Read(p)
	if err == nil {
		return n, nil
	}
	b.end()
	switch err {
	case io.EOF, context.Canceled, context.DeadlineExceeded: // as net/http returns them: httputil.ReverseProxy compares
		return n, err
	}
	return n, hide(err, b.mask)
}

// Close ends the request. What the upstream still sends is not read.
func (b *body) Close() error {
	err := b.masked.Close()
	b.end()
	if err != nil {
		return hide(err, b.mask)
	}
	return nil
}

// readUpstream reads what is not masked yet. Whenever it has, the trailers may be there: the caller can see them at once.
func (b *body) readUpstream(p []byte) (int, error) {
	defer func() { b.mask.Header(b.resp.Trailer) }()
	switch {
	case b.left < 0:
		return b.upstream.Read(p)
	case b.left == 0:
		n, err := b.upstream.Read(p[:1])
		if n > 0 {
			return 0, fmt.Errorf("%w, which is for answers that are no streams", ErrTooLong)
		}
		return 0, err
	}
	n, err := b.upstream.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
