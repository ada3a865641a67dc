// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyward-go/keyward/audit"
)

const (
	labelRow  = "row"
	labelHead = "head"
	pageRows  = 2000

	sealedRows   = "x:" // the sealed values come last
	behindSealed = "x;"
)

var errNotEmpty = errors.New("the store is no longer empty")

func open(ctx context.Context, cfg Config) (*core, error) {
	return openBy(ctx, cfg, func(v *core) error {
		mark, err := v.loadMark(ctx)
		if err != nil {
			return err
		}
		root := ask(cfg.Root)
		rows, err := v.store.Rows(ctx, "", 1)
		if err != nil {
			return err
		}
		if len(rows) == 0 && (mark != nil || v.anchor != nil && v.anchor.last != (audit.Head{})) {
			return fmt.Errorf("%w: the store is empty, and its head file or anchor knows a vault", ErrRollback)
		}
		if len(rows) == 0 {
			err = v.create(ctx, root)
		}
		if len(rows) > 0 || errors.Is(err, errNotEmpty) {
			err = v.loadSettled(ctx, root)
		}
		if err == nil {
			err = v.checkMark(ctx, mark)
		}
		if err == nil {
			err = v.checkAnchor(ctx)
		}
		return err
	})
}

// loadSettled is load, again each time the keys were rotated between two looks at the store.
func (v *core) loadSettled(ctx context.Context, root RootKey) error {
	err := v.load(ctx, root)
	for range followTries {
		if err != errFollow {
			break
		}
		v.state = newState()
		err = v.load(ctx, root)
	}
	return err
}

// openBy makes a vault whose keys and state come from load.
func openBy(ctx context.Context, cfg Config, load func(*core) error) (*core, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	v := &core{
		store: cfg.Store, state: newState(), clock: newClock(cfg.Now), opening: newID(),
		maxTTL: cfg.MaxTTL, committed: make(chan struct{}), turn: make(chan struct{}, 1), queue: queue{ready: make(chan struct{}, 1)},
	}
	if v.maxTTL == 0 {
		v.maxTTL = 24 * time.Hour
	}
	if err := v.openAnchor(ctx, cfg.Anchor); err != nil {
		return nil, err
	}
	if err := load(v); err != nil {
		return nil, err
	}
	v.issuer, v.builtin = hmacIssuer{func() tokenKeys { return v.keys().tokenKeys() }, v.keys().id}, cfg.Issuer == nil
	if cfg.Issuer != nil {
		if v.issuer = cfg.Issuer(v.issuer); v.issuer == nil {
			return nil, fmt.Errorf("%w: Config.Issuer returned nil", ErrInvalid)
		}
	}
	if len(cfg.Auditors)+len(cfg.Observers) > 0 || v.anchor != nil {
		v.releaser = newReleaser(cfg, v.anchor)
	}
	v.alone = v.newBatch()
	go v.runCommitter()
	return v, nil
}
