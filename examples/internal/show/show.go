// SPDX-License-Identifier: Apache-2.0

// Package show prints what became of a call.
package show

import (
	"fmt"
	"io"
)

// Works says that something works, or why it is refused.
func Works(out io.Writer, what string, err error) {
	if err != nil {
		fmt.Fprintf(out, "%s is refused: %v\n", what, err)
		return
	}
	fmt.Fprintf(out, "%s works.\n", what)
}
