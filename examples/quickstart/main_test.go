// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/joho/godotenv"

	"github.com/keyward-go/keyward/examples/internal/exampletest"
)

func TestRun(t *testing.T) {
	env, err := godotenv.Unmarshal(dotenv)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for name := range paths {
		values = append(values, env[name])
	}
	exampletest.Check(t, run, "testdata/output.txt", values)
}
