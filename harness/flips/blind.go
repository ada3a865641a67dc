// SPDX-License-Identifier: Apache-2.0

package flips

import (
	"errors"
	"strings"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// headless is the seeded bug of stores in files: nobody asks the head file.
type headless struct{ vault.Store }

// countLines is the seeded bug of exports: a verifier that checks the signature and counts the records.
func countLines(_, export []byte, key string, _ ...[]byte) error {
	parts := strings.SplitN(string(export), "\n\n", 3)
	if len(parts) != 3 {
		return errors.New("cut")
	}
	head, err := audit.ParseCheckpoint([]byte(parts[0]+"\n\n"+parts[1]+"\n"), key)
	if err == nil && int64(strings.Count(parts[2], "\n")) != head.Size {
		err = errors.New("records are missing")
	}
	return err
}
