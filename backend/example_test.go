// SPDX-License-Identifier: Apache-2.0

//go:build unix

package backend_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/keyward-go/keyward/vault"
)

// Snapshot is a whole vault.Store in one JSON file, written anew at each commit: plain, and right for some hundred
// records. A folder has one Snapshot at a time; after a crash remove its lock file by hand.
type Snapshot struct {
	dir   string
	turn  chan struct{}               // full while somebody writes; a channel serves in the order of arrival
	state atomic.Pointer[vault.Batch] // lines from First on, and rows by key; never changed; nil when closed
	fault error                       // a failed fsync: nothing more is written
}

func Open(dir string) (*Snapshot, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("one snapshot store a folder at a time: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "snapshot"))
	if errors.Is(err, os.ErrNotExist) {
		text, err = []byte("{}"), nil
	}
	s, state := &Snapshot{dir: dir, turn: make(chan struct{}, 1)}, new(vault.Batch)
	if err = errors.Join(err, lock.Close(), json.Unmarshal(text, state)); err != nil {
		return nil, errors.Join(err, os.Remove(lock.Name()))
	}
	s.state.Store(state)
	return s, nil
}

func (s *Snapshot) Close() error {
	s.turn <- struct{}{} // waits for the Update that runs
	defer func() { <-s.turn }()
	if s.state.Swap(nil) == nil {
		return nil
	}
	return os.Remove(filepath.Join(s.dir, "lock"))
}

func (s *Snapshot) read(ctx context.Context) (vault.Batch, error) {
	if state := s.state.Load(); state != nil {
		return *state, ctx.Err()
	}
	return vault.Batch{}, vault.ErrClosed
}

func (s *Snapshot) Rows(ctx context.Context, from string, n int) ([]vault.Row, error) {
	state, err := s.read(ctx)
	start, _ := slices.BinarySearchFunc(state.Rows, from, func(r vault.Row, key string) int { return cmp.Compare(r.Key, key) })
	page := slices.Clone(state.Rows[start:][:min(n, len(state.Rows)-start)])
	for i := range page {
		page[i].Data = bytes.Clone(page[i].Data) // nobody is given what the store keeps
	}
	return page, err
}

func (s *Snapshot) Lines(ctx context.Context, from int64, n int) (page [][]byte, err error) {
	state, err := s.read(ctx)
	if i := from - state.First; i >= 0 && i < int64(len(state.Lines)) {
		for _, line := range state.Lines[i:][:min(n, len(state.Lines)-int(i))] {
			page = append(page, bytes.Clone(line))
		}
	}
	return page, err
}

func (s *Snapshot) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	wait, stop := context.WithTimeoutCause(ctx, 10*time.Second, vault.ErrBusy)
	defer stop()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }() // deferred for the case that fn panics
	case <-wait.Done():
		return context.Cause(wait)
	}
	changed, err := s.Rows(ctx, "", 1<<30)
	if err = cmp.Or(err, s.fault); err != nil {
		return err
	}
	b, err := fn(slices.DeleteFunc(changed, func(r vault.Row) bool { return r.Seq < since || strings.HasPrefix(r.Key, "x:") }))
	if err != nil || len(b.Lines)+len(b.Rows) == 0 {
		return err
	}
	state := s.state.Load()
	if size := state.First + int64(len(state.Lines)); b.First != size || b.Keep < 0 || b.Keep > size+int64(len(b.Lines)) {
		return fmt.Errorf("%w: the batch begins with line %d, the next is %d", vault.ErrConflict, b.First, size)
	}
	for _, r := range b.Rows { // JSON would keep another key than one that is not UTF-8
		if len(r.Key) < 1 || len(r.Key) > 1024 || strings.ContainsRune(r.Key, 0) || !utf8.ValidString(r.Key) {
			return fmt.Errorf("%w: a key of %d bytes", vault.ErrInvalid, len(r.Key))
		}
	}
	return s.write(apply(*state, b))
}

// apply returns the state after b.
func apply(state, b vault.Batch) vault.Batch {
	next := vault.Batch{First: max(state.First, b.Keep), Rows: slices.Concat(b.Rows, state.Rows)}
	next.Lines = slices.Concat(state.Lines, b.Lines)[next.First-state.First:]
	slices.Reverse(next.Rows[:len(b.Rows)]) // the newest of a key comes first, and stays
	slices.SortStableFunc(next.Rows, func(a, b vault.Row) int { return cmp.Compare(a.Key, b.Key) })
	next.Rows = slices.CompactFunc(next.Rows, func(a, b vault.Row) bool { return a.Key == b.Key })
	next.Rows = slices.DeleteFunc(next.Rows, func(r vault.Row) bool { return r.Data == nil })
	return next
}

// write stores next on disk, then in memory, read back so that no slice of the caller's is kept. It has no context, since
// a commit is not left half way, and nothing to scrub, since the new file has no old bytes.
func (s *Snapshot) write(next vault.Batch) error {
	text, err := json.Marshal(next)
	state, name := new(vault.Batch), filepath.Join(s.dir, "snapshot")
	if err = errors.Join(err, json.Unmarshal(text, state), os.WriteFile(name+".new", text, 0o600)); err != nil {
		return err // of a full disk, say: nothing has changed
	}
	if s.fault = sync(name + ".new"); s.fault == nil {
		s.fault = os.Rename(name+".new", name)
	}
	if s.fault == nil {
		s.fault = sync(s.dir)
	}
	if s.fault != nil {
		return fmt.Errorf("snapshot: %v", s.fault) // %v: a wrapped ENOSPC would say that nothing has changed
	}
	s.state.Store(state)
	return nil
}

func sync(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// A store of your own: this one is complete, and package backendtest proves that it keeps the contract.
func Example() {
	dir, _ := os.MkdirTemp("", "keyward")
	defer os.RemoveAll(dir)
	s, err := Open(dir)
	if err == nil {
		err = s.Close()
	}
	fmt.Println(err)
	// Output: <nil>
}
