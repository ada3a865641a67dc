// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"io"
	"strings"
	"sync"
)

// stream masks a text that comes in parts.
type stream struct {
	r       *Redactor
	held    string // what waits: the beginning of a pattern, perhaps
	covered int    // how much of held a Mask that is out already stands for; 0: it ends right before
	open    bool   // covered counts
}

// push takes the next part and returns what can go out; with final set, all of it.
func (s *stream) push(part string, final bool) string {
	text := s.held + part
	m := s.r.matcher.Load()
	if m == nil {
		s.held = ""
		return text
	}
	var out strings.Builder
	plain := 0 // what of text is not dealt with begins here
	if s.open {
		plain = s.covered
	}
	i := m.next(text, 0)
	for ; i < len(text); i = m.next(text, i+1) {
		n, open := m.at(text[i:])
		if open && !final {
			break
		}
		if n == 0 {
			continue
		}
		if !s.open || i > plain {
			if i > plain {
				out.WriteString(text[plain:i])
			}
			out.WriteString(Mask)
		}
		s.open, plain = true, max(plain, i+n)
	}
	i = min(i, len(text))
	if i > plain {
		out.WriteString(text[plain:i])
		s.open, plain = false, i
	}
	s.held, s.covered = text[i:], plain-i
	if final {
		s.held, s.open = "", false
	}
	return out.String()
}

// Writer returns a writer that masks what is written and passes it to w. Close writes what waits, and does not close w. A
// write that w has refused may be lost in part. It may be used by several goroutines.
func (r *Redactor) Writer(w io.Writer) io.WriteCloser { return &writer{stream: stream{r: r}, w: w} }

type writer struct {
	mu     sync.Mutex
	stream stream
	w      io.Writer
}

func (w *writer) Write(p []byte) (int, error) {
	if err := w.push(p, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *writer) Close() error { return w.push(nil, true) }

func (w *writer) push(p []byte, final bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.stream.push(string(p), final)
	if out == "" {
		return nil
	}
	_, err := io.WriteString(w.w, out)
	return err
}

// Reader returns a reader that masks what it reads from rc. What rc has given is passed on without waiting for more, but for
// bytes that may be the beginning of a value. Close closes rc.
func (r *Redactor) Reader(rc io.ReadCloser) io.ReadCloser {
	return &reader{stream: stream{r: r}, rc: rc}
}

type reader struct {
	stream stream
	rc     io.ReadCloser
	in     []byte
	out    string
	err    error
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.out == "" {
		if r.err != nil {
			return 0, r.err
		}
		if r.in == nil {
			r.in = make([]byte, 32<<10)
		}
		var n int
		n, r.err = r.rc.Read(r.in)
		r.out = r.stream.push(string(r.in[:n]), r.err != nil)
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

func (r *reader) Close() error { return r.rc.Close() }
