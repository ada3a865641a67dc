// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package kms

import (
	"errors"
	"fmt"
	"runtime"
)

var errNoModes = fmt.Errorf("%w: a key file on %s, where its owner and mode cannot be checked; use kms.Passphrase or kms.Wrapper",
	errors.ErrUnsupported, runtime.GOOS)

func readKey(string, bool) ([]byte, error) { return nil, errNoModes }

func makeKey(string) error { return errNoModes }
