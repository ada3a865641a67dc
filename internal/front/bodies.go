// SPDX-License-Identifier: Apache-2.0

package front

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// A body has to be there in this time.
const bodyWait = 30 * time.Second

// What of a body is beyond freeBytes counts against maxBodies, which is for all that are being read in this process: so that who may
// send large ones, or looks as if, cannot have it hold as many as connections allow.
const (
	freeBytes = 64 << 10
	maxBodies = 64 << 20
)

var (
	bodies    atomic.Int64 // bytes
	errBodies = errors.New("too many large bodies at once")
)

// ReadBody reads the body of r, of at most limit bytes. Call done in any case, when nothing of it is held any more.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, done func(), no *Refusal) {
	from := &counted{Reader: http.MaxBytesReader(w, r.Body, limit)}
	if r.ContentLength > limit {
		return nil, from.done, tooLong(limit)
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyWait)) // not every writer can
	body, err := io.ReadAll(from)
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		no = tooLong(limit)
	case errors.Is(err, errBodies):
		no = &Refusal{http.StatusServiceUnavailable, "busy", "too many large bodies at once: wait, then ask again", 1}
	case err != nil:
		no = &Refusal{http.StatusBadRequest, "invalid", "the body broke off, or came too slowly", 0}
	}
	return body, from.done, no
}

func tooLong(limit int64) *Refusal {
	return &Refusal{http.StatusRequestEntityTooLarge, "invalid", fmt.Sprintf("the body has more than %d bytes", limit), 0}
}

// counted is a body that counts. Call done when nothing of it is held any more.
type counted struct {
	io.Reader
	read, charged int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += int64(n)
	if more := c.read - freeBytes - c.charged; more > 0 {
		c.charged += more
		if bodies.Add(more) > maxBodies {
			return 0, errBodies
		}
	}
	return n, err
}

func (c *counted) done() { bodies.Add(-c.charged) }
