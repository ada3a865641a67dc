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

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

// rest is what stays when a vault is closed.
type rest struct{ goroutines, descriptors, files int }

func (r rest) String() string {
	return fmt.Sprintf("%d goroutines %d descriptors %d files", r.goroutines, r.descriptors, r.files)
}

// more is a Violation for each kind of which there is more than at the start.
func (r rest) more(start rest) (err error) {
	for _, k := range []struct {
		name       string
		now, start int
	}{
		{"goroutines", r.goroutines, start.goroutines}, {"descriptors", r.descriptors, start.descriptors}, {"files", r.files, start.files},
	} {
		if k.now > k.start {
			err = errors.Join(err, kit.Violationf("%d more %s than the %d at the start", k.now-k.start, k.name, k.start))
		}
	}
	return err
}

// settle counts until there is no more than at the start, or has been the same for a while: what Close has told to end may need a
// moment.
func settle(ctx context.Context, dir string, start rest, patience time.Duration) (now rest, err error) {
	const pause = 5 * time.Millisecond
	for same := time.Duration(0); same < patience; same += pause {
		next, err := count(dir)
		if err != nil || next.more(start) == nil {
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
