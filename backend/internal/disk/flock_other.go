// SPDX-License-Identifier: Apache-2.0

//go:build !linux && !darwin

package disk

import (
	"errors"
	"fmt"
	"runtime"
)

var errUnsupported = fmt.Errorf("files that only their owner can use, with locks, on %s: %w", runtime.GOOS, errors.ErrUnsupported)

func flock(uintptr, lockOp) (bool, error) { return false, errUnsupported }
