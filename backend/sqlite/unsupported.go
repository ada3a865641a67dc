// SPDX-License-Identifier: Apache-2.0

//go:build !linux && !darwin

package sqlite

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

func prepareFiles(string) (*os.File, error) {
	return nil, fmt.Errorf("%s: %w: use backend/memory in tests", runtime.GOOS, errors.ErrUnsupported)
}

type fileID struct{}

func identify(string) (fileID, error) { return fileID{}, errors.ErrUnsupported }

func (s *Store) stillThere() error { return errors.ErrUnsupported }

func flock(uintptr, lockOp) (bool, error) { return false, errors.ErrUnsupported }
