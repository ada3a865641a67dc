// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux && !darwin

package kms

import "os"

// checkLocal has no way to tell here.
func checkLocal(*os.File) error { return nil }
