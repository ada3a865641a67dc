// SPDX-License-Identifier: Apache-2.0

package front

import (
	"errors"
	"io"
	"sync/atomic"
)

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
