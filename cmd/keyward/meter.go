// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
)

// meter passes bytes on and shows how many, until ctx ends.
type meter struct {
	ctx      context.Context
	r        io.Reader
	w        io.Writer
	progress *progress
	unit     int64 // bytes that count as one; 0 counts lines
	total    int
	n        int64
}

func (m *meter) Read(b []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.r.Read(b)
	m.passed(b[:n])
	return n, err
}

func (m *meter) Write(b []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.w.Write(b)
	m.passed(b[:n])
	return n, err
}

func (m *meter) passed(b []byte) {
	if m.unit == 0 {
		m.n += int64(bytes.Count(b, []byte("\n")))
	} else {
		m.n += int64(len(b))
	}
	m.progress.step(int(m.n/max(m.unit, 1)), m.total)
}
