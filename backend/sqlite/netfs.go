// SPDX-License-Identifier: Apache-2.0

package sqlite

import "fmt"

// refuseFileSystem is the error for a folder on a file system where SQLite is not safe.
func refuseFileSystem(dir, name, why string) error {
	return fmt.Errorf("%s is on %s: %s; use a local disk", dir, name, why)
}
