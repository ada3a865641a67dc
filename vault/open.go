// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyward-go/keyward/audit"
)

// open takes up the vault that the store holds, or makes one in an empty store.
func (v *core) open(ctx context.Context, root RootKey) error {
	mark, err := v.loadMark(ctx)
	if err != nil {
		return err
	}
	rows, err := readRows(ctx, v.store, "", 1)
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
		err = v.load(ctx, root)
	}
	if err == nil {
		err = v.checkMark(ctx, mark)
	}
	if err == nil {
		err = v.checkAnchor(ctx)
	}
	return err
}

// openBy makes a vault whose keys and state come from load. If it fails it closes the store, and says what was to be done.
func openBy(ctx context.Context, cfg Config, what string, load func(*core) error) (*Vault, error) {
	v, err := newCore(ctx, cfg, load)
	if err != nil {
		if cfg.Store != nil {
			err = errors.Join(err, contain(cfg.Store.Close)) // it may be a user's own
		}
		return nil, fmt.Errorf("vault: %s: %w", what, err)
	}
	go v.runCommitter()
	return &Vault{func() *core { return v }}, nil
}

func newCore(ctx context.Context, cfg Config, load func(*core) error) (*core, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	v := &core{
		store: cfg.Store, state: newState(), clock: newClock(cfg.Now), opening: newID(),
		maxTTL: cfg.MaxTTL, committed: make(chan struct{}), turn: make(chan struct{}, 1), queue: queue{ready: make(chan struct{}, 1)},
	}
	v.headFile, _ = cfg.Store.(marker)
	v.sealer = newSealer(v.keys, v.store)
	if v.maxTTL == 0 {
		v.maxTTL = 24 * time.Hour
	}
	if err := v.openAnchor(ctx, cfg.Anchor); err != nil {
		return nil, err
	}
	if err := load(v); err != nil {
		return nil, err
	}
	if err := v.setIssuer(cfg.Issuer); err != nil {
		return nil, err
	}
	if len(cfg.Auditors)+len(cfg.Observers) > 0 || v.anchor != nil {
		v.releaser = newReleaser(cfg, v.anchor)
	}
	v.alone = v.newBatch()
	return v, nil
}

// setIssuer takes the built-in issuer, or what a user wraps around it.
func (v *core) setIssuer(wrap func(TokenIssuer) TokenIssuer) error {
	v.issuer, v.builtin = hmacIssuer{func() tokenKeys { return v.keys().tokenKeys() }, v.keys().id}, wrap == nil
	if wrap == nil {
		return nil
	}
	if err := contain(func() error { v.issuer = wrap(v.issuer); return nil }); err != nil {
		return fmt.Errorf("Config.Issuer: %w", err)
	}
	if v.issuer == nil {
		return fmt.Errorf("%w: Config.Issuer returned nil", ErrInvalid)
	}
	return nil
}
