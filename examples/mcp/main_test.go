// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/keyward-go/keyward/examples/internal/exampletest"
	"github.com/keyward-go/keyward/examples/internal/team"
)

func TestRun(t *testing.T) {
	exampletest.Check(t, run, "testdata/output.txt", team.Values())
}
