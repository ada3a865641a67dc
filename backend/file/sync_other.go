// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package file

import "os"

// syncData makes the content and the length of f durable. On macOS Sync is F_FULLFSYNC, which reaches the platter.
func syncData(f *os.File) error { return f.Sync() }
