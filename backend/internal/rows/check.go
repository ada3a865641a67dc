// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"fmt"

	"github.com/keyward-go/keyward/internal/journal"
	"github.com/keyward-go/keyward/vault"
)

// Check refuses a batch that is not the next of a log of size lines, dropped ones included: vault.ErrConflict. One with a row
// that no store keeps is vault.ErrInvalid.
func Check(size int64, b vault.Batch) error {
	if b.First != size {
		return fmt.Errorf("the batch begins with line %d, the next is %d: %w", b.First, size, vault.ErrConflict)
	}
	if end := size + int64(len(b.Lines)); b.Keep < 0 || b.Keep > end {
		return fmt.Errorf("the batch keeps from line %d, the next will be %d: %w", b.Keep, end, vault.ErrConflict)
	}
	for _, r := range b.Rows {
		if !journal.GoodKey(r.Key) || r.Seq < 0 {
			return fmt.Errorf("a row with a key of %d bytes, of line %d: %w", len(r.Key), r.Seq, vault.ErrInvalid)
		}
	}
	return nil
}
