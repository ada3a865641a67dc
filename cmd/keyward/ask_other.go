// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package main

import (
	"context"
	"errors"
	"os"
)

// askOn asks nothing here.
func askOn(_ context.Context, tty *os.File) ([]byte, error) {
	return nil, errors.Join(usagef("keyward does not ask on this system: give the value by the standard input or with --file FILE"), tty.Close())
}
