// SPDX-License-Identifier: Apache-2.0

package counts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/keyward-go/keyward/vault"
)

// readThenWrite is the seeded bug: the token is not counted by the vault but beside it, in a file. The count is read, the
// value is got, and the count is written.
func (c *caller) readThenWrite(ctx context.Context, op *vault.Operator, id string) (use int, err error) {
	path := filepath.Join(c.dir, "count-"+c.Link)
	n, err := readCount(path)
	if err != nil {
		return 0, err
	}
	if n >= maxUses {
		return 0, vault.ErrDeadToken
	}
	if _, err = op.Get(ctx, vault.Request{Path: c.Path, Call: id}); err != nil {
		return 0, err
	}
	return n + 1, os.WriteFile(path, []byte(strconv.Itoa(n+1)), 0o600)
}

func readCount(path string) (n int, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err == nil && len(text) > 0 { // it is empty while it is written
		_, err = fmt.Sscan(string(text), &n)
	}
	return n, err
}
