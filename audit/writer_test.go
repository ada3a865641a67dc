// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/keyward-go/keyward/audit"
)

// sink records each Write and Sync, and can be told to fail.
type sink struct {
	writes  []string
	syncs   int
	short   int // bytes left out of the next Write, without an error
	syncErr error
}

func (s *sink) Write(b []byte) (int, error) {
	n := len(b) - s.short
	s.short = 0
	s.writes = append(s.writes, string(b[:n]))
	return n, nil
}

func (s *sink) Sync() error { s.syncs++; return s.syncErr }

func batch(from, n int64) (records []audit.Record) {
	for i := range n {
		records = append(records, record(from+i))
	}
	return
}

func TestWriter(t *testing.T) {
	ctx := t.Context()
	s := &sink{}
	w := audit.Writer{W: s}
	if err := w.Audit(ctx, batch(0, 3)); err != nil || len(s.writes) != 1 || s.syncs != 1 {
		t.Fatalf("%v: %d writes, %d syncs", err, len(s.writes), s.syncs)
	}
	if err := w.Audit(ctx, nil); err != nil || len(s.writes) != 1 {
		t.Errorf("an empty batch was written: %v", err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(s.writes[0], "\n"), "\n") {
		if r, err := audit.ParseRecord([]byte(line)); err != nil || r.Seq != int64(i) {
			t.Errorf("line %d: %v", i, err)
		}
	}

	s.short = 5
	if err := w.Audit(ctx, batch(3, 1)); !errors.Is(err, io.ErrShortWrite) || s.syncs != 1 {
		t.Errorf("short write: %v, %d syncs", err, s.syncs)
	}
	if err := w.Audit(ctx, batch(4, 1)); err != nil || s.writes[2] != "\n"+record(4).String()+"\n" {
		t.Errorf("after a torn line: %v %q", err, s.writes[2])
	}
	if err := w.Audit(ctx, batch(5, 1)); err != nil || s.writes[3] != record(5).String()+"\n" {
		t.Errorf("after that: %v %q", err, s.writes[3])
	}

	for err, want := range map[error]bool{syscall.EIO: true, syscall.EINVAL: false, errors.ErrUnsupported: false} {
		s.syncErr = err
		if got := w.Audit(ctx, batch(6, 1)); (got != nil) != want {
			t.Errorf("sync %v: %v", err, got)
		}
	}

	before := len(s.writes)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := w.Audit(ended, batch(7, 1)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := w.Audit(ctx, []audit.Record{record(7), {}}); err == nil {
		t.Error("a record without an outcome was written")
	}
	if len(s.writes) != before {
		t.Error("something was written beside an error")
	}
	failure := errors.New("disk is full")
	if err := (&audit.Writer{W: failingWriter{failure}}).Audit(ctx, batch(0, 1)); !errors.Is(err, failure) {
		t.Error(err)
	}
	if err := new(audit.Writer).Audit(ctx, batch(0, 1)); err == nil {
		t.Error("no W and no error")
	}
}

func TestWriterConcurrent(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := audit.Writer{W: file}
	var group sync.WaitGroup
	for i := range int64(8) {
		group.Go(func() {
			for j := range int64(5) {
				if err := w.Audit(t.Context(), batch(i*100+j*10, 10)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	data, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	if len(lines) != 400 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if _, err := audit.ParseRecord(line); err != nil {
			t.Error(err)
		}
	}
}
