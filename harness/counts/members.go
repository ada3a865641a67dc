// SPDX-License-Identifier: Apache-2.0

package counts

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

// job is what a process, or a vault of this one, is told.
type job struct {
	Member, Members int
	Seed            uint64
	Rounds          [][]token
}

const opEvent = "event" // whose Value is one

// processes runs a job in eight processes at once.
func processes(ctx context.Context, r *kit.Run, dir string, j job) (events []event, err error) {
	started := make([]*kit.Process, 0, members)
	for m := range members {
		j.Member, j.Members = m, members
		p, err := r.Start(ctx, dir, j, nil)
		if err != nil {
			for _, p := range started {
				p.Kill()
				p.Wait()
			}
			return nil, err
		}
		started = append(started, p)
	}
	for m, p := range started {
		acks, _, failed := p.Wait()
		if failed = cmp.Or(failed, p.Ended()); failed != nil {
			err = errors.Join(err, fmt.Errorf("process %d: %w", m, failed))
		}
		for _, a := range acks {
			var e event
			if failed := json.Unmarshal([]byte(a.Value), &e); failed != nil {
				err = errors.Join(err, failed)
			}
			events = append(events, e)
		}
	}
	return events, err
}

func child(ctx context.Context, c *kit.Child) error {
	var j job
	if err := c.Args(&j); err != nil {
		return err
	}
	v, err := kit.OpenVault(ctx, c.Store, c.Dir, nil)
	if err != nil {
		return kit.Violationf("the vault does not open: %v", err)
	}
	tell := func(e event) {
		text, _ := json.Marshal(e) // strings and numbers
		c.Ack(kit.Ack{Op: opEvent, Value: string(text)})
	}
	meet := func(round int) error { return meeting(ctx, c.Dir, round, j) }
	return errors.Join(j.work(ctx, c.Dir, v, c.Bug, meet, tell), closed(v))
}

func closed(v *vault.Vault) error {
	if err := v.Close(); err != nil {
		return kit.Violationf("close: %v", err)
	}
	return nil
}

const meetingTime = 2 * time.Minute // on a busy machine

// meeting returns when every process of the job is there.
func meeting(ctx context.Context, dir string, round int, j job) error {
	prefix := fmt.Sprintf("meeting-%d-", round)
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(prefix, j.Member)), nil, 0o600); err != nil {
		return err
	}
	deadline := time.Now().Add(meetingTime)
	for time.Now().Before(deadline) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		there := 0
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), prefix) {
				there++
			}
		}
		if there == j.Members {
			return nil
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.New("another process does not come")
}

// vaults runs a job in this process.
func vaults(ctx context.Context, r *kit.Run, dir string, j job, open func(context.Context) (*vault.Vault, error)) (events []event, err error) {
	j.Members = members
	if r.Store.Name == "file" { // it is for one
		j.Members = 1
	}
	var mu sync.Mutex
	tell := func(e event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}
	var wg sync.WaitGroup
	errs := make([]error, j.Members)
	for m := range j.Members {
		j := j
		j.Member = m
		v, failed := open(ctx)
		if failed != nil {
			err = failed
			break
		}
		wg.Go(func() {
			errs[m] = errors.Join(j.work(ctx, dir, v, r.Bug, func(int) error { return nil }, tell), closed(v))
		})
	}
	wg.Wait()
	return events, errors.Join(err, errors.Join(errs...))
}

// opener opens the vault in dir. What is in memory stays there from one opening to the next.
func opener(r *kit.Run, dir string) func(context.Context) (*vault.Vault, error) {
	if r.Store.Name != "memory" {
		return func(ctx context.Context) (*vault.Vault, error) { return kit.OpenVault(ctx, r.Store, dir, nil) }
	}
	var once sync.Once
	var store vault.Store
	return func(ctx context.Context) (*vault.Vault, error) {
		return kit.OpenVault(ctx, r.Store, dir, func(s vault.Store) vault.Store {
			once.Do(func() { store = s })
			return kit.Kept(store)
		})
	}
}
