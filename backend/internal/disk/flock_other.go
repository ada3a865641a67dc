// SPDX-License-Identifier: Apache-2.0

//go:build !linux && !darwin

package disk

func flock(uintptr, lockOp) (bool, error) { return false, errUnsupported }
