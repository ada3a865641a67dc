// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"errors"
	"io"
)

// edgePrefix begins the line that says what came before the first record. No record begins like it.
const edgePrefix = "edge "

// WriteExport writes the checkpoint, a blank line, and the lines of the log up to size, which is the size that the
// checkpoint names: all of them if edge is the zero Tree, else its line and the lines from where it ends. It reads a page
// at a time. It checks nothing: Verify does, on what was written.
func WriteExport(w io.Writer, checkpoint []byte, edge Tree, size int64, lines Lines) error {
	if edge.size > size {
		return errors.New("the export would begin behind its end")
	}
	out := bufio.NewWriterSize(w, 64<<10)
	out.Write(checkpoint) // bufio keeps the first error and Flush returns it
	out.WriteByte('\n')
	if edge.size > 0 {
		text, _ := edge.AppendText([]byte(edgePrefix))
		out.Write(append(text, '\n'))
	}
	err := lines.each(edge.size, size, func(line []byte) error {
		out.Write(line)
		return out.WriteByte('\n')
	})
	if err != nil {
		return err
	}
	return out.Flush()
}
