// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/keyward-go/keyward/internal/front"
)

// How long a client may take.
const (
	partWait = time.Minute     // for a part of an answer, or of a body that goes on as it comes
	restWait = 5 * time.Second // for what is left of a body that nobody reads
)

// contain is h with its panics held, and its clients to partWait and restWait.
func contain(h http.Handler, faults *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &timed{ResponseWriter: w, control: http.NewResponseController(w), lifts: r.ProtoMajor > 1 || r.TLS != nil, set: time.Now().Add(partWait)}
		t.lift()
		_ = t.control.SetReadDeadline(time.Time{})
		body := &watched{ReadCloser: r.Body}
		if r.ProtoMajor == 1 && r.Header.Get("Expect") != "" {
			body.asks = t.control
		}
		body.ended.Store(r.Body == http.NoBody)
		asked := r
		if !body.ended.Load() {
			own := *r
			own.Body = body
			r = &own
		}
		defer func() {
			p := recover()
			asked.MultipartForm = r.MultipartForm // whose files net/http removes
			// net/http reads the rest of the body and writes that of the answer behind our back, and lifts these when it has.
			if !body.ended.Load() {
				_ = t.control.SetReadDeadline(time.Now().Add(restWait))
			}
			t.extend()
			switch {
			case p == nil:
				return
			case p == http.ErrAbortHandler:
				panic(p)
			}
			faults.Error("a handler panicked", "type", fmt.Sprintf("%T", p))
			if t.begun {
				panic(http.ErrAbortHandler) // the client must not take what it has for all
			}
			front.RefusalOf(errPanic).Write(w, r)
		}()
		h.ServeHTTP(t, r)
	})
}

var errPanic = errors.New("a handler panicked")

// watched is a body of which is known whether anything is left.
type watched struct {
	io.ReadCloser
	ended atomic.Bool
	asks  *http.ResponseController // if not nil, the first Read asks the client for the body
}

func (b *watched) Read(p []byte) (int, error) {
	if b.asks != nil {
		_ = b.asks.SetWriteDeadline(time.Now().Add(partWait))
		b.asks = nil
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.ended.Store(true)
	}
	return n, err
}

// timed gives each part of an answer its own time to go out; the first has that of Serve's WriteTimeout. Setting a deadline costs as
// much as reading a body: one that has just been set does for the next part.
type timed struct {
	http.ResponseWriter
	control *http.ResponseController
	lifts   bool // no deadline may pass between two parts: HTTP/2 ends the stream, and TLS cannot answer a client that changes its keys
	begun   bool
	set     time.Time // the deadline
}

func (t *timed) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *timed) WriteHeader(code int) {
	t.begun = t.begun || code >= http.StatusOK
	t.ResponseWriter.WriteHeader(code)
}

func (t *timed) Write(p []byte) (int, error) {
	defer t.lift()
	t.extend()
	t.begun = true
	return t.ResponseWriter.Write(p)
}

// Flush is for those who ask for an http.Flusher.
func (t *timed) Flush() { _ = t.FlushError() }

func (t *timed) FlushError() error {
	defer t.lift()
	t.extend()
	t.begun = true
	return t.control.Flush()
}

// extend gives what is written next partWait, or a second less.
func (t *timed) extend() {
	if until := time.Now().Add(partWait); until.Sub(t.set) > time.Second {
		t.set = until
		_ = t.control.SetWriteDeadline(until) // not every writer can
	}
}

// SetWriteDeadline is for handlers that know better, until the next part.
func (t *timed) SetWriteDeadline(until time.Time) error {
	t.set = time.Time{}
	return t.control.SetWriteDeadline(until)
}

func (t *timed) lift() {
	if t.lifts {
		t.set = time.Time{}
		_ = t.control.SetWriteDeadline(time.Time{})
	}
}
