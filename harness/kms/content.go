// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

// content is what a store holds.
type content struct {
	rows  []vault.Row
	lines [][]byte
}

func contentOf(ctx context.Context, s vault.Store) (c content, err error) {
	if c.rows, err = s.Rows(ctx, "", 1000); err == nil {
		c.lines, err = s.Lines(ctx, 0, 1000)
	}
	return c, err
}

// unchanged: a failure leaves its record, at most, and the head that covers it. One behind a commit of the same rotation is
// no failure of that commit.
func (c content) unchanged(after content, records bool) error {
	if !records && !reflect.DeepEqual(c, after) {
		return kit.Violationf("a failure has changed the store")
	}
	for n, line := range after.lines {
		if n < len(c.lines) {
			if string(line) != string(c.lines[n]) {
				return kit.Violationf("a failure has changed record %d", n)
			}
			continue
		}
		r, err := audit.ParseRecord(line)
		if err != nil {
			return fmt.Errorf("record %d: %w", n, err)
		}
		if r.Outcome == audit.Granted {
			return nil
		}
	}
	head := func(r vault.Row) bool { return r.Key == "head" }
	was, is := slices.DeleteFunc(slices.Clone(c.rows), head), slices.DeleteFunc(slices.Clone(after.rows), head)
	if !reflect.DeepEqual(was, is) {
		return kit.Violationf("a failure has changed a row")
	}
	return nil
}
