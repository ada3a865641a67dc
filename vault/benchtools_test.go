// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func callersName(n int) string { return fmt.Sprintf("callers=%d", n) }

// run shares b.N calls of f among goroutines.
func run(b *testing.B, callers int, f func()) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				f()
			}
		})
	}
	wg.Wait()
	b.StopTimer()
}
