// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// locked runs during while an Update of s is inside its fn, and returns when both have ended.
func (t *trial) locked(s vault.Store, during func() error) error {
	in, out, end := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		end <- s.Update(t.ctx, 0, func([]vault.Row) (vault.Batch, error) {
			close(in)
			<-out
			return vault.Batch{}, nil
		})
	}()
	select {
	case <-in:
	case err := <-end:
		return fmt.Errorf("Update ended without fn: %w", err)
	}
	err := during()
	close(out)
	return errors.Join(err, <-end)
}

// watched is a context that tells when a store first looks at it, which it does at the latest when it begins to wait:
// this is how a case knows that a waiter waits, without a sleep.
type watched struct {
	context.Context
	once   *sync.Once
	looked chan struct{}
}

func watch(ctx context.Context) watched { return watched{ctx, new(sync.Once), make(chan struct{})} }

func (w watched) Done() <-chan struct{} { w.look(); return w.Context.Done() }
func (w watched) Err() error            { w.look(); return w.Context.Err() }
func (w watched) look()                 { w.once.Do(func() { close(w.looked) }) }

// wait returns when the store has looked, or soon: a store that never does must fail by its answer, not here.
func (w watched) wait() {
	select {
	case <-w.looked:
	case <-time.After(time.Second):
	}
}

// refusesWhileLocked checks that an Update of b answers ctx's error while one of a is inside its fn.
func (t *trial) refusesWhileLocked(a, b vault.Store) error {
	return t.locked(a, func() error {
		cancelled, cancel := context.WithCancel(t.ctx)
		defer cancel()
		late, stop := context.WithTimeout(t.ctx, time.Millisecond)
		defer stop()
		for _, c := range []struct {
			ctx  context.Context
			want error
		}{{cancelled, context.Canceled}, {late, context.DeadlineExceeded}} {
			ctx := watch(c.ctx)
			end := make(chan error, 1)
			go func() { end <- update(ctx, b, 0, full(2)) }()
			ctx.wait()
			cancel() // of no effect on the second
			select {
			case err := <-end:
				if !errors.Is(err, c.want) {
					return fmt.Errorf("an Update whose context ended while another ran answers %v, want %v", err, c.want)
				}
			case <-time.After(9 * time.Second): // before ErrBusy may come
				return fmt.Errorf("an Update whose context ended while another ran still waits, want %v", c.want)
			case <-t.ctx.Done():
				return fmt.Errorf("an Update whose context ended while another ran still waits, want %v", c.want)
			}
		}
		return nil
	})
}

func ctxWaiting(t *trial) error {
	unchanged, err := t.start()
	if err != nil {
		return err
	}
	if err := t.refusesWhileLocked(t, t); err != nil {
		return err
	}
	if err := unchanged(); err != nil {
		return err
	}
	return t.commit(full(2))
}

func ctxBefore(t *trial) error {
	unchanged, err := t.start()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	ran := false
	upd := t.Update(ctx, 0, func([]vault.Row) (vault.Batch, error) {
		ran = true
		return full(2), nil
	})
	_, rows := t.Rows(ctx, "", 1)
	_, lines := t.Lines(ctx, 0, 1)
	for _, err := range []error{upd, rows, lines} {
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("Update %v, Rows %v, Lines %v; want context.Canceled of each", upd, rows, lines)
		}
	}
	if ran {
		return errors.New("fn ran although the context had ended")
	}
	return unchanged()
}

func ctxCommit(t *trial) error {
	ctx, cancel := context.WithCancel(t.ctx)
	err := t.Update(ctx, 0, func([]vault.Row) (vault.Batch, error) {
		cancel()
		return vault.Batch{Lines: lines("0"), Rows: []vault.Row{row("a", "1")}}, nil
	})
	if err != nil {
		return fmt.Errorf("Update: %w", err)
	}
	return t.holds(t, 0, lines("0"), row("a", "1"))
}

func readersPass(t *trial) error {
	unchanged, err := t.start()
	if err != nil {
		return err
	}
	// What stands, read twice over: as the writer of this very process sees it before it commits.
	err = t.locked(t, func() error {
		return t.holds(t, 0, lines("0", "1"), at(0, row("a", "1"), row("b", "1"), row("x:b", "1"))...)
	})
	if err != nil {
		return err
	}
	return unchanged()
}

func busyAtLast(t *trial) error {
	if os.Getenv("KEYWARD_SLOW") == "" {
		return skip("takes ten seconds: set KEYWARD_SLOW=1")
	}
	return t.locked(t, func() error {
		begin := time.Now()
		err := update(t.ctx, t, 0, full(0))
		if took := time.Since(begin); !errors.Is(err, vault.ErrBusy) || took > 30*time.Second {
			return fmt.Errorf("after %v: %v; want ErrBusy within 10 s", took, err)
		}
		return nil
	})
}
