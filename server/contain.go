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
		t := &timed{ResponseWriter: w, control: http.NewResponseController(w), lifts: r.ProtoMajor > 1 || r.TLS != nil, set: time.Now().Add(partWait)}
		if t.lifts && r.Header.Get("Expect") == "" {
			t.lift()
		}
		_ = t.control.SetReadDeadline(time.Time{})
		body := &watched{ReadCloser: r.Body}
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
			front.StatusOf(errPanic).Write(w, r)
		}()
		h.ServeHTTP(t, r)
	})
}

var errPanic = errors.New("a handler panicked")

// watched is a body of which is known whether anything is left.
type watched struct {
	io.ReadCloser
	ended atomic.Bool
}

func (b *watched) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.ended.Store(true)
	}
	return n, err
}

// timed gives each part of an answer its own time to go out. The first has that of Serve's WriteTimeout, in which net/http also asks
// for a body that waits to be asked for. Setting a deadline costs as much as reading a body: one that has just been set does for the
// next part.
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
		if p.ended.Load() { // it was a read behind the end, and net/http has begun to read
			_ = p.control.SetReadDeadline(time.Time{})
		}
	}
	p.mu.Unlock()
}
