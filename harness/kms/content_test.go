// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"errors"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

func TestUnchanged(t *testing.T) {
	line := func(op string, o audit.Outcome) []byte {
		b, err := audit.Record{Op: op, Outcome: o}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	rows := func(head, data string) []vault.Row {
		return []vault.Row{{Key: "head", Data: []byte(head)}, {Key: "t:a", Data: []byte(data)}}
	}
	put, failed, rotated, got := line("put", audit.Granted), line("rotate", audit.Failed), line("rotate", audit.Granted), line("get", audit.Granted)
	before := kit.Content{Rows: rows("1", "a"), Lines: [][]byte{put}}
	for _, c := range []struct {
		after    kit.Content
		recorded bool
		good     bool
	}{
		{before, false, true},
		{before, true, true},
		{kit.Content{Rows: rows("2", "a"), Lines: [][]byte{put, failed}}, true, true},
		{kit.Content{Rows: rows("2", "a"), Lines: [][]byte{put, failed}}, false, false},
		{kit.Content{Rows: rows("2", "b"), Lines: [][]byte{put, failed}}, true, false},
		{kit.Content{Rows: rows("2", "b"), Lines: [][]byte{put, rotated, failed}}, true, true},
		{kit.Content{Rows: rows("2", "b"), Lines: [][]byte{put, got}}, true, false},
		{kit.Content{Rows: rows("2", "a"), Lines: [][]byte{failed, rotated}}, true, false},
		{kit.Content{Rows: rows("1", "a")}, true, false},
	} {
		err := unchanged(before, c.after, c.recorded)
		var broken *kit.Violation
		if (err == nil) != c.good || err != nil && !errors.As(err, &broken) {
			t.Errorf("%q, recorded %v: %v", c.after.Lines, c.recorded, err)
		}
	}
}
