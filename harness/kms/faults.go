// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"bytes"
	"context"
	"fmt"

	"github.com/keyward-go/keyward/vault"
)

// fault is a way in which the holder of a root key misbehaves.
type fault struct {
	name   string
	answer func(call) ([]byte, error)
	want   []error // one of these, or an error that is; nil: no error
}

var (
	away     = []error{vault.ErrKMSUnavailable, context.DeadlineExceeded}
	perhaps  = []error{nil, vault.ErrKMSUnavailable, context.DeadlineExceeded}
	tampered = []error{vault.ErrTampered}
	errReset = fmt.Errorf("%w: connection reset by peer", vault.ErrKMSUnavailable)
)

func bend(f func([]byte) []byte) func(c call) ([]byte, error) {
	return func(c call) ([]byte, error) {
		b, err := c.good()
		if err != nil {
			return nil, err
		}
		return f(b), nil
	}
}

var faults = []fault{
	{"hangs", func(c call) ([]byte, error) { <-c.healed; return nil, errReset }, away},
	{"is late", func(c call) ([]byte, error) { c.sleep(3 * patience); return c.good() }, away},
	{"is slow", func(c call) ([]byte, error) {
		c.sleep(patience / 20)
		return c.good()
	}, perhaps},
	{"fails every second time", func(c call) ([]byte, error) {
		if c.n%2 == 0 {
			return nil, errReset
		}
		return c.good()
	}, perhaps},
	{"fails", func(c call) ([]byte, error) { return nil, errReset }, away},
	{"panics", func(c call) ([]byte, error) { panic("boom") }, away},
	{"dies after one call", dies(1), perhaps},
	{"dies after two calls", dies(2), perhaps},
	{"dies after three calls", dies(3), perhaps},
	{"opens with another key", func(c call) ([]byte, error) {
		if c.opens {
			return c.other()
		}
		return c.good()
	}, []error{vault.ErrWrongKey, vault.ErrTampered}},
	{"answers nothing", bend(func([]byte) []byte { return nil }), tampered},
	{"answers garbage", bend(func(b []byte) []byte { return bytes.Repeat([]byte{7}, len(b)) }), []error{vault.ErrTampered, vault.ErrInvalid}}, // format 0x07070707
	{"answers in part", bend(func(b []byte) []byte { return b[:len(b)/2] }), tampered},
	{"answers too much", bend(func(b []byte) []byte { return append(bytes.Clone(b), make([]byte, 2<<20)...) }), tampered},
	{"fails, then answers for another vault", func(c call) ([]byte, error) {
		if c.n == 0 {
			return nil, errReset
		}
		return bytes.Clone(c.foreign), nil
	}, []error{vault.ErrKMSUnavailable, vault.ErrTampered}},
	{"answers for another vault", func(c call) ([]byte, error) { return bytes.Clone(c.foreign), nil }, tampered},
}

func dies(after int) func(c call) ([]byte, error) {
	return func(c call) ([]byte, error) {
		if c.n >= after {
			return nil, errReset
		}
		return c.good()
	}
}
