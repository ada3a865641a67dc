// SPDX-License-Identifier: Apache-2.0

package cycles

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// rest is what stays when a vault is closed.
type rest struct{ goroutines, descriptors, files int }

func (r rest) String() string {
	return fmt.Sprintf("%d goroutines %d descriptors %d files", r.goroutines, r.descriptors, r.files)
}

// within reports whether nothing is more than in r.
func (r rest) within(limit rest) bool {
	return r.goroutines <= limit.goroutines && r.descriptors <= limit.descriptors && r.files <= limit.files
}

// settle counts until the count is within limit, or has been the same for a while: what Close has told to end may need a
// moment.
func settle(ctx context.Context, dir string, limit rest, patience time.Duration) (now rest, err error) {
	const pause = 5 * time.Millisecond
	for same := time.Duration(0); same < patience; same += pause {
		next, err := count(dir)
		if err != nil || next.within(limit) {
			return next, err
		}
		if next != now {
			now, same = next, 0
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return now, ctx.Err()
		}
	}
	return now, nil
}

func count(dir string) (r rest, err error) {
	r.goroutines = runtime.NumGoroutine()
	open, err := os.ReadDir("/dev/fd") // Linux and macOS
	if err != nil {
		return r, err
	}
	r.descriptors = len(open)
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		r.files++
		return err
	})
	return r, err
}

var leaks = []string{"goroutine", "descriptor", "file"}

// leaky is the seeded bug: a store that leaves something behind when it is closed.
type leaky struct {
	vault.Store
	what, dir string
}

var forgotten []*os.File // so that the collector does not close them

func (s leaky) Close() error {
	switch s.what {
	case "goroutine":
		go func() { select {} }()
	case "descriptor":
		f, err := os.Open(s.dir)
		if err != nil {
			return err
		}
		forgotten = append(forgotten, f)
	case "file":
		f, err := os.CreateTemp("", "left-")
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return s.Store.Close()
}
