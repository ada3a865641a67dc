// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"syscall"
)

// update is a function for one Store.Update at a time, and what came of the last one.
type update struct {
	fn     func(changed []Row) (Batch, error)
	guard  func(changed []Row) (Batch, error) // fn as the store is given it
	runs   int
	failed error // of fn
}

func newUpdate(fn func(changed []Row) (Batch, error)) *update {
	u := &update{fn: fn}
	u.guard = u.run
	return u
}

var (
	errNoUpdate = errors.New("the store did not run the update")
	errRunTwice = errors.New("the store ran an update twice")
)

func (u *update) run(changed []Row) (out Batch, err error) {
	if u.runs++; u.runs > 1 {
		return Batch{}, errRunTwice
	}
	u.failed = contain(func() (err error) {
		out, err = u.fn(changed)
		return err
	})
	if u.failed != nil {
		out = Batch{}
	}
	return out, u.failed
}

// updateStore is the one way to Store.Update. The store may be a user's own: its panic is an error, and nil means that fn was
// run exactly once, without an error, and that the store calls its batch durable. An error of fn is returned as it is.
func updateStore(ctx context.Context, s Store, since int64, u *update) error {
	u.runs, u.failed = 0, nil
	err := contain(func() error { return s.Update(ctx, since, u.guard) })
	switch {
	case u.runs > 1:
		return errors.Join(errRunTwice, err)
	case u.failed != nil:
		return u.failed
	case err == nil && u.runs == 0:
		return errNoUpdate
	}
	return err
}

// given reports whether the store was given a batch, whatever it did with it.
func (u *update) given() bool { return u.runs > 0 && u.failed == nil }

// open reports whether an update that ended with an error may have been committed all the same.
func (u *update) open(err error) bool { return err != nil && u.given() && !unchanged(err) }

// unchanged reports whether an error of Store.Update says that nothing was written.
func unchanged(err error) bool {
	return errors.Is(err, ErrBusy) || errors.Is(err, ErrClosed) || errors.Is(err, ErrConflict) || errors.Is(err, syscall.ENOSPC)
}
