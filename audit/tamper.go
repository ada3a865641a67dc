// SPDX-License-Identifier: Apache-2.0

package audit

import "fmt"

// TamperError says that evidence does not hold: an export, a checkpoint or a proof was changed, cut, forged, or
// belongs to another log. Its text quotes no line.
type TamperError struct {
	Seq     int64 // the first record in doubt; -1 if it is the checkpoint
	Problem string
}

// Error returns the record and the problem.
func (e *TamperError) Error() string {
	if e.Seq < 0 {
		return e.Problem
	}
	return fmt.Sprintf("record %d: %s", e.Seq, e.Problem)
}
