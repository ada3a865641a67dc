// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"io"
)

// WriteExport writes the checkpoint, a blank line, and the first size lines of the log, which is the size that the
// checkpoint names. It reads a page at a time. It checks nothing: Verify does, on what was written.
func WriteExport(w io.Writer, checkpoint []byte, size int64, lines Lines) error {
	out := bufio.NewWriterSize(w, 64<<10)
	out.Write(checkpoint) // bufio keeps the first error and Flush returns it
	out.WriteByte('\n')
	err := lines.each(0, size, func(line []byte) error {
		out.Write(line)
		return out.WriteByte('\n')
	})
	if err != nil {
		return err
	}
	return out.Flush()
}
