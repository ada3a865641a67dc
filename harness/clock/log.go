// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

// checkLog reads the log: it verifies, time goes back in it by ResetClock alone, and nothing is granted to a token at or
// behind its end.
func (b *bed) checkLog() error {
	log := b.vaults[1].Log()
	if err := log.Verify(b.ctx); err != nil {
		return kit.Violationf("the log does not verify: %v", err)
	}
	ends := map[string]time.Time{}
	for _, c := range b.cards {
		ends[c.id] = c.expires
	}
	var before time.Time
	for r, err := range log.Records(b.ctx, audit.Filter{}) {
		if err != nil {
			return kit.Violationf("reading the log: %v", err)
		}
		if reset := r.Op == "clock" && r.Outcome == audit.Granted; r.Time.Before(before) && !reset {
			return kit.Violationf("record %d: time went back from %s to %s", r.Seq, before, r.Time)
		}
		if end, known := ends[r.Token]; known && r.Outcome == audit.Granted && !r.Time.Before(end) {
			return kit.Violationf("record %d: granted at %s to a token that ended at %s", r.Seq, r.Time, end)
		}
		before = r.Time
	}
	return nil
}

// made makes a vault while the clock shows a time, and then sets it right.
func made(ctx context.Context, r *kit.Run, at time.Time) error {
	dir := filepath.Join(r.Dir, fmt.Sprint("made-", at.Unix(), ".", at.Nanosecond()))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	store, err := r.Store.Open(ctx, filepath.Join(dir, kit.StoreFile))
	if err != nil {
		return err
	}
	now := at
	v, err := vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(filepath.Join(dir, kit.KeyFile)), Now: func() time.Time { return now }})
	if !possible(at) {
		if !errors.Is(err, vault.ErrClock) {
			return kit.Violationf("a new vault in an impossible year: %v", err)
		}
		return nil
	}
	if err != nil {
		return kit.Violationf("a new vault: %v", err)
	}
	now = noon
	want := error(nil)
	if noon.Before(at.Add(-2 * time.Minute)) {
		want = vault.ErrClock
	}
	if _, err := v.Operator("clock").Put(ctx, vault.Item{Path: path, Value: vault.NewSecret("value")}); !errors.Is(err, want) {
		return errors.Join(kit.Violationf("put when the clock is right again: %v, want %v", err, want), v.Close())
	}
	return v.Close()
}
