// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/keyward-go/keyward/examples/internal/exampletest"
)

func TestRun(t *testing.T) {
	var values []string
	for _, s := range services {
		values = append(values, s.key)
	}
	exampletest.Check(t, run, "testdata/output.txt", values)
}
