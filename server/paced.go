// SPDX-License-Identifier: Apache-2.0

package server

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// paced is a body each part of which must come in its own time.
type paced struct {
	io.ReadCloser
	control *http.ResponseController
	streams bool        // HTTP/2, where a deadline that passes between two reads ends the stream
	ended   atomic.Bool // all of it was read
	broken  atomic.Bool // the client did not send all of it
	over    atomic.Bool // end was called

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
	if err != nil || p.streams { // behind the end net/http reads to see whether the client has gone
		_ = p.control.SetReadDeadline(time.Time{})
	}
	p.err = err
	p.ended.Store(err == io.EOF)
	p.broken.Store(err != nil && err != io.EOF)
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
