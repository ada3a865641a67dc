// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"

	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

// disks stand for a file system: a memory store for each dir, which outlives the handles on it. It passes all of Run and
// skips nothing, so each broken store is this one with one rule bent.
type disks struct {
	mu    sync.Mutex
	byDir map[string]*file
}

// file is a memory store and its head file.
type file struct {
	*memory.Store
	mark atomic.Pointer[[]byte]
}

func newDisks() *disks { return &disks{byDir: make(map[string]*file)} }

func (d *disks) open(dir string) (vault.Store, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byDir[dir] == nil {
		d.byDir[dir] = &file{Store: memory.New()}
	}
	return &handle{disk: d.byDir[dir]}, nil
}

type handle struct {
	disk   *file
	closed atomic.Bool
}

func (h *handle) Close() error { h.closed.Store(true); return nil }

func (h *handle) Rows(ctx context.Context, from string, n int) ([]vault.Row, error) {
	if h.closed.Load() {
		return nil, vault.ErrClosed
	}
	return h.disk.Rows(ctx, from, n)
}

func (h *handle) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	if h.closed.Load() {
		return nil, vault.ErrClosed
	}
	return h.disk.Lines(ctx, from, n)
}

func (h *handle) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	if h.closed.Load() {
		return vault.ErrClosed
	}
	var mark []byte
	err := h.disk.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
		b, err := fn(rows)
		if err == nil && len(b.Mark) > 440 {
			return b, vault.ErrInvalid
		}
		if len(b.Lines)+len(b.Rows) > 0 {
			mark = bytes.Clone(b.Mark)
		}
		return b, err
	})
	if err == nil && len(mark) > 0 {
		h.disk.mark.Store(&mark)
	}
	return err
}

func (h *handle) Mark(context.Context) ([]byte, error) {
	if h.closed.Load() {
		return nil, vault.ErrClosed
	}
	if mark := h.disk.mark.Load(); mark != nil {
		return bytes.Clone(*mark), nil
	}
	return nil, nil
}
