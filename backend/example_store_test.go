// SPDX-License-Identifier: Apache-2.0

//go:build unix

package backend_test

import (
	"testing"

	"github.com/keyward-go/keyward/backend/backendtest"
	"github.com/keyward-go/keyward/vault"
)

// In a file of its own: a test beside the example would keep go doc from showing the whole file.
func TestExampleStore(t *testing.T) {
	backendtest.Run(t, func(dir string) (vault.Store, error) { return Open(dir) })
}
