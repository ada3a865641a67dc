// SPDX-License-Identifier: Apache-2.0

package disk

import "fmt"

const remoteFS = "its locks and shared memory do not reach other machines, and a mode does not decide who reads there"

// refuse is the error for what lies on a file system that is not safe.
func refuse(path, name, why string) error {
	return fmt.Errorf("%s is on %s: %s; use a local disk", path, name, why)
}
