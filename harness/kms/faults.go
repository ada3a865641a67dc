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
	kind   kind
}

// kind is what else may come of a fault.
type kind int

const (
	fails kind = iota
	late       // the caller's deadline may come first
	lies       // the vault may take what it was told for damage, until it is opened again
)

var (
	away     = []error{vault.ErrKMSUnavailable}
	perhaps  = []error{nil, vault.ErrKMSUnavailable}
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
	{"hangs", func(c call) ([]byte, error) { <-c.healed; return nil, errReset }, append(away, context.DeadlineExceeded), late},
	{"is late", func(c call) ([]byte, error) { c.sleep(3 * patience); return c.good() }, append(away, context.DeadlineExceeded), late},
	{"is slow", func(c call) ([]byte, error) { c.sleep(patience / 20); return c.good() }, perhaps, fails},
	{"fails every second time", func(c call) ([]byte, error) {
		if c.n%2 == 0 {
			return nil, errReset
		}
		return c.good()
	}, perhaps, fails},
	{"fails", func(c call) ([]byte, error) { return nil, errReset }, away, fails},
	{"panics", func(c call) ([]byte, error) { panic("boom") }, away, fails},
	{"dies after one call", dies(1), perhaps, fails},
	{"dies after two calls", dies(2), perhaps, fails},
	{"dies after three calls", dies(3), perhaps, fails},
	{anotherKey, func(c call) ([]byte, error) {
		if c.opens {
			return c.other()
		}
		return c.good()
	}, nil, lies},
	{"answers nothing", bend(func([]byte) []byte { return nil }), tampered, lies},
	{"answers garbage", bend(func(b []byte) []byte { return bytes.Repeat([]byte{7}, len(b)) }), []error{vault.ErrTampered, vault.ErrInvalid}, lies}, // format 0x07070707
	{"answers in part", bend(func(b []byte) []byte { return b[:len(b)/2] }), tampered, lies},
	{"answers too much", bend(func(b []byte) []byte { return append(bytes.Clone(b), make([]byte, 2<<20)...) }), tampered, lies},
	{"fails, then answers for another vault", func(c call) ([]byte, error) {
		if c.n == 0 {
			return nil, errReset
		}
		return bytes.Clone(c.foreign), nil
	}, []error{vault.ErrKMSUnavailable, vault.ErrTampered}, lies},
	{"answers for another vault", func(c call) ([]byte, error) { return bytes.Clone(c.foreign), nil }, tampered, lies},
}

// anotherKey has an answer for each level: a root sees the id of the key, a wrapper goes by what its service says of itself.
const anotherKey = "opens with another key"

func dies(after int) func(c call) ([]byte, error) {
	return func(c call) ([]byte, error) {
		if c.n >= after {
			return nil, errReset
		}
		return c.good()
	}
}
