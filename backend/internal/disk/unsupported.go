// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package disk

import "os"

// CheckFolder answers errors.ErrUnsupported, as everything here.
func CheckFolder(dir string) error { return errUnsupported }

// CheckFile answers errors.ErrUnsupported.
func CheckFile(path string) error { return errUnsupported }

// Open answers errors.ErrUnsupported.
func Open(path string, flag int) (*os.File, error) { return nil, errUnsupported }

// Create answers errors.ErrUnsupported.
func Create(path string, content []byte) error { return errUnsupported }

// SyncDir answers errors.ErrUnsupported.
func SyncDir(dir string) error { return errUnsupported }

func openLock(path string) (*os.File, error) { return nil, errUnsupported }
