// SPDX-License-Identifier: Apache-2.0

//go:build seededbug

package seeded

// parse reads fields, each behind its length in one byte.
func parse(b []byte) (fields [][]byte, ok bool) {
	for len(b) > 0 {
		n := int(b[0])
		if n > len(b) { // off by one: the length is there too
			return nil, false
		}
		fields, b = append(fields, b[1:1+n]), b[1+n:]
	}
	return fields, true
}
