// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"
)

// Writer is an auditor that writes one canonical line a record to W: a second copy of the log in a file, or a pipe to
// whatever ships logs. A batch is one Write. If W has a method Sync() error, as an *os.File has, it is called after
// each batch, so that an answer of nil means on disk; that a terminal or pipe cannot be synced is no error. After a
// Write that ended inside a line the next batch begins with a newline, so that the torn line stands alone. Calls may
// be concurrent; W is used by one at a time. A call that has begun to write does not heed the context.
type Writer struct {
	W io.Writer

	mu   sync.Mutex
	buf  []byte
	torn bool
}

// Audit writes the records. An error means that some or all of them may be missing from W.
func (w *Writer) Audit(ctx context.Context, records []Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.W == nil {
		return errors.New("audit writer has no W: set one")
	}
	if len(records) == 0 {
		return nil
	}
	buf := w.buf[:0]
	if w.torn {
		buf = append(buf, '\n')
	}
	for _, r := range records {
		var err error
		if buf, err = r.appendLine(buf); err != nil {
			return err
		}
		buf = append(buf, '\n')
	}
	if cap(buf) <= 1<<20 { // a rare large batch is not kept
		w.buf = buf
	}
	n, err := w.W.Write(buf)
	if err == nil && n != len(buf) {
		err = io.ErrShortWrite
	}
	if n = min(max(n, 0), len(buf)); n > 0 {
		w.torn = buf[n-1] != '\n'
	}
	if err != nil {
		return err
	}
	if s, ok := w.W.(interface{ Sync() error }); ok {
		return syncError(s.Sync())
	}
	return nil
}

// syncError drops the errors that mean "this is not a thing that can be synced".
func syncError(err error) error {
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTTY) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
