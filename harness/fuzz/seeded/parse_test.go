// SPDX-License-Identifier: Apache-2.0

//go:build seededbug

package seeded

import "testing"

func FuzzSeeded(f *testing.F) {
	f.Add([]byte("\x03one\x03two\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fields, ok := parse(b)
		n := 0
		for _, field := range fields {
			n += 1 + len(field)
		}
		if ok && n != len(b) {
			t.Error("bytes were left over")
		}
	})
}
