// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

// Header masks names and values of h in place.
func (r *Redactor) Header(h http.Header) {
	for _, name := range slices.Collect(maps.Keys(h)) { // of before, since names are added
		values := h[name]
		for i, v := range values {
			values[i] = r.String(v)
		}
		if masked := r.String(name); masked != name {
			delete(h, name)
			h[masked] = append(h[masked], values...)
		}
	}
}

// ResponseWriter is an http.ResponseWriter that masks the header and the body. Header, which it takes when WriteHeader is
// called, loses Content-Length, since the length changes. The handler must call Close when it has written all. It takes the
// deadlines of http.ResponseController, and has no Unwrap: what is behind it sends what is not masked.
type ResponseWriter struct {
	w       http.ResponseWriter
	r       *Redactor
	stream  stream
	written bool
}

// ResponseWriter returns one in front of w. Like any other it is not for concurrent use.
func (r *Redactor) ResponseWriter(w http.ResponseWriter) *ResponseWriter {
	return &ResponseWriter{w: w, r: r, stream: stream{r: r}}
}

// Header returns the header map; it is masked by WriteHeader, trailers by Close.
func (w *ResponseWriter) Header() http.Header { return w.w.Header() }

// WriteHeader masks the header and sends it.
func (w *ResponseWriter) WriteHeader(status int) {
	w.r.Header(w.w.Header())
	if status >= 200 || status == http.StatusSwitchingProtocols { // others are followed by more
		w.written = true
		w.w.Header().Del("Content-Length")
	}
	w.w.WriteHeader(status)
}

// Write masks p, and sends what cannot be the beginning of a value.
func (w *ResponseWriter) Write(p []byte) (int, error) {
	if !w.written {
		_, typed := w.w.Header()["Content-Type"]
		if !typed && w.w.Header().Get("Content-Encoding") == "" { // what the server would find out, from what it would not see
			w.w.Header().Set("Content-Type", http.DetectContentType(p))
		}
		w.WriteHeader(http.StatusOK)
	}
	if err := w.send(w.stream.push(string(p), false)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush sends what was written so far, but for what may be the beginning of a value.
func (w *ResponseWriter) Flush() { w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *ResponseWriter) FlushError() error {
	if !w.written {
		w.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(w.w).Flush()
}

// SetReadDeadline is for http.ResponseController.
func (w *ResponseWriter) SetReadDeadline(t time.Time) error {
	return http.NewResponseController(w.w).SetReadDeadline(t)
}

// SetWriteDeadline is for http.ResponseController.
func (w *ResponseWriter) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(w.w).SetWriteDeadline(t)
}

// Close sends what waits, and masks the trailers.
func (w *ResponseWriter) Close() error {
	err := w.send(w.stream.push("", true))
	w.r.Header(w.w.Header())
	return err
}

func (w *ResponseWriter) send(masked string) error {
	if masked == "" {
		return nil
	}
	_, err := w.w.Write([]byte(masked))
	return err
}
