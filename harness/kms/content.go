// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

// unchanged: a failure leaves its record, if it is of a kind that is recorded, and the head that covers it; and nothing else,
// unless a commit of the same rotation came before it.
func unchanged(before, after kit.Content, records bool) error {
	if !records && !reflect.DeepEqual(before, after) {
		return kit.Violationf("a failure has changed the store")
	}
	if len(after.Lines) < len(before.Lines) {
		return kit.Violationf("a failure has lost records: there were %d, there are %d", len(before.Lines), len(after.Lines))
	}
	for n, line := range before.Lines {
		if !bytes.Equal(line, after.Lines[n]) {
			return kit.Violationf("a failure has changed record %d", n)
		}
	}
	for n, line := range after.Lines[len(before.Lines):] {
		r, err := audit.ParseRecord(line)
		if err != nil {
			return fmt.Errorf("record %d: %w", len(before.Lines)+n, err)
		}
		if r.Outcome == audit.Granted && (r.Op == "rotate" || r.Op == "root") {
			return nil
		}
	}
	head := func(r vault.Row) bool { return r.Key == "head" }
	was, is := slices.DeleteFunc(slices.Clone(before.Rows), head), slices.DeleteFunc(slices.Clone(after.Rows), head)
	if !reflect.DeepEqual(was, is) {
		return kit.Violationf("a failure has changed a row")
	}
	return nil
}
