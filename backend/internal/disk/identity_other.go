// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package disk

import "os"

// FileID is which file stands under a name.
type FileID struct{}

// Identify answers errors.ErrUnsupported.
func Identify(path string) (FileID, error) { return FileID{}, errUnsupported }

// At answers errors.ErrUnsupported.
func (FileID) At(path string) error { return errUnsupported }

func idOf(*os.File) (FileID, error) { return FileID{}, errUnsupported }
