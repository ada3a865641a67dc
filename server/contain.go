// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
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
		t := &timed{ResponseWriter: w, control: http.NewResponseController(w)}
		defer func() {
			p := recover()
			// net/http reads the rest of the body and writes that of the answer behind our back, and lifts these when it has.
			_ = t.control.SetReadDeadline(time.Now().Add(restWait))
			_ = t.control.SetWriteDeadline(time.Now().Add(partWait))
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
			front.StatusOf(errPanic).Write(w, r)
		}()
		h.ServeHTTP(t, r)
	})
}

var errPanic = errors.New("a handler panicked")

// timed gives each part of an answer its own time to go out. Between two of them there is no deadline: HTTP/2 would end the
// stream.
type timed struct {
	http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (t *timed) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *timed) WriteHeader(code int) {
	t.begun = t.begun || code >= http.StatusOK
	t.ResponseWriter.WriteHeader(code)
}

func (t *timed) Write(p []byte) (int, error) {
	defer t.begin()()
	return t.ResponseWriter.Write(p)
}

// Flush is for those who ask for an http.Flusher.
func (t *timed) Flush() { _ = t.FlushError() }

func (t *timed) FlushError() error {
	defer t.begin()()
	return t.control.Flush()
}

func (t *timed) begin() (end func()) {
	t.begun = true
	_ = t.control.SetWriteDeadline(time.Now().Add(partWait)) // not every writer can
	return func() { _ = t.control.SetWriteDeadline(time.Time{}) }
}

// paced is a body each part of which must come in its own time.
type paced struct {
	io.ReadCloser
	control *http.ResponseController
	ended   atomic.Bool // all of it was read
	broken  atomic.Bool // the client did not send all of it

	over atomic.Bool

	mu  sync.Mutex // held by the one Read that runs
	err error      // of the Read that ended it
}

func (p *paced) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil { // http.Transport reads once more behind the end; net/http may have closed the body by then
		return 0, p.err
	}
	_ = p.control.SetReadDeadline(time.Now().Add(partWait)) // not every writer can
	if p.over.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := p.ReadCloser.Read(b)
	if p.err = err; err != nil { // from now on net/http reads to see whether the client has gone
		_ = p.control.SetReadDeadline(time.Time{})
		p.ended.Store(err == io.EOF)
		p.broken.Store(err != io.EOF)
	}
	return n, err
}

// end ends what reads. A transport may still do so when it has its answer; net/http would let that read end when it likes, and with
// it what is behind the handler.
func (p *paced) end() {
	p.over.Store(true)
	if !p.mu.TryLock() { // somebody reads. Where nobody does, a deadline would end the next request of the connection
		_ = p.control.SetReadDeadline(time.Unix(1, 0))
		p.mu.Lock()
	}
	p.mu.Unlock()
}
