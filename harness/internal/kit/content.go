// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"fmt"

	"github.com/keyward-go/keyward/vault"
)

// Content is what a small store holds.
type Content struct {
	Rows  []vault.Row
	Lines [][]byte
}

const small = 1000 // rows, or lines

// ContentOf reads it. A store that is not small is an error.
func ContentOf(ctx context.Context, s vault.Store) (c Content, err error) {
	if c.Rows, err = s.Rows(ctx, "", small); err == nil {
		c.Lines, err = s.Lines(ctx, 0, small)
	}
	if err == nil && (len(c.Rows) == small || len(c.Lines) == small) {
		err = fmt.Errorf("the store holds %d rows or lines, or more", small)
	}
	return c, err
}
