// SPDX-License-Identifier: Apache-2.0

// Package scale fills a vault, ten million records and a million tokens in the long form, and measures it: how long Open,
// a Get and Verify take, what memory they need, how long a commit takes that purges dead rows, how large the files are.
//
// The fill goes through the vault, since head, tree and sums must be right: thousands of callers share each commit. Times
// beside a goal are figures, and said to be above it if they are: what is slow on a busy machine is not broken. What must
// hold is that memory grows with the rows and not with the log. So memory is measured twice, with a fifth of the records
// and with all, on the same rows.
package scale

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

// Harness is the fill and the measurements.
var Harness = kit.Harness{
	Name:    "scale",
	About:   "millions of records and tokens: time and memory of open, get, verify and purge",
	Bug:     "the store keeps every line in memory",
	BugSays: regexp.MustCompile(`memory grows with the log`),
	Stores:  []string{"sqlite", "file"},
	Short:   100_000, Long: 10_000_000, Unit: "records",
	Run: run,
}

const perToken = 10 // records for one token: its issue, its use, and others

// Goals at ten million records.
const (
	goalOpen   = 2 * time.Second
	goalGet    = 5 * time.Millisecond
	goalVerify = 20 * time.Second
	goalPurge  = 100 * time.Millisecond // of one commit
	goalMemory = 256 << 20              // of Verify, beyond what the open vault holds
)

// site is the vault and its figures.
type site struct {
	*kit.Run
	clock atomic.Int64 // how far the vault's wall clock is ahead
}

func run(ctx context.Context, r *kit.Run) error {
	s := &site{Run: r}
	tokens := max(1, r.Rounds/perToken)
	start := time.Now()
	bearers, err := s.issue(ctx, tokens)
	if err != nil {
		return err
	}
	little, err := s.measure(ctx, bearers)
	if err != nil {
		return err
	}
	if err := s.fill(ctx, little.size, int64(r.Rounds)); err != nil {
		return err
	}
	r.Figure("tokens", tokens)
	r.Figure("filled in", time.Since(start).Round(time.Second/10))
	all, err := s.measure(ctx, bearers)
	if err != nil {
		return err
	}
	r.Count("records", all.size)
	files, err := sizeOf(r.Dir)
	if err != nil {
		return err
	}
	s.figures(all)
	r.Figure("files", mib(files))
	if err := grown(little, all); err != nil || r.Bug {
		return err
	}
	return s.purge(ctx, tokens)
}

// open opens the vault, or makes it.
func (s *site) open(ctx context.Context, wrap func(vault.Store) vault.Store) (*vault.Vault, error) {
	store, err := s.Store.Open(ctx, filepath.Join(s.Dir, kit.StoreFile))
	if err != nil {
		return nil, err
	}
	if wrap != nil {
		store = wrap(store)
	}
	return vault.Open(ctx, vault.Config{
		Store: store, Root: kms.KeyFile(filepath.Join(s.Dir, kit.KeyFile)),
		Now: func() time.Time { return time.Now().Add(time.Duration(s.clock.Load())) },
	})
}

// size is how many records the log has.
func size(ctx context.Context, v *vault.Vault) (int64, error) {
	checkpoint, err := v.Log().Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	h, err := audit.ParseCheckpoint(checkpoint, v.Log().Key())
	return h.Size, err
}

func sizeOf(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
