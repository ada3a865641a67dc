// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"bytes"
	"context"
	"sync"

	"github.com/keyward-go/keyward/vault"
)

// hoarder is the seeded bug: a store that keeps every line that it has read.
type hoarder struct {
	vault.Store
	mu    sync.Mutex
	lines map[int64][]byte
}

func (s *hoarder) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	lines, err := s.Store.Lines(ctx, from, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines == nil {
		s.lines = map[int64][]byte{}
	}
	for i, line := range lines {
		s.lines[from+int64(i)] = bytes.Clone(line)
	}
	return lines, err
}
