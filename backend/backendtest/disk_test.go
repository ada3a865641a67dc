// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
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
	byDir map[string]*memory.Store
}

func newDisks() *disks { return &disks{byDir: make(map[string]*memory.Store)} }

func (d *disks) open(dir string) (vault.Store, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byDir[dir] == nil {
		d.byDir[dir] = memory.New()
	}
	return &handle{disk: d.byDir[dir]}, nil
}

type handle struct {
	disk   *memory.Store
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
	return h.disk.Update(ctx, since, fn)
}
