// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/anchor"
	"github.com/keyward-go/keyward/vault"
)

const (
	anchorEnv  = "KEYWARD_ANCHOR"
	anchorName = "keyward" // one place, one vault: the vault's own name is known when it is open, and that needs the anchor
)

var errNoAnchor = errors.New("there is no anchor")

// anchorPath returns the kind and path of the anchor's store, or "" if none is wanted.
func (a *app) anchorPath() (kind, path string, err error) {
	text := a.anchor
	if text == "" {
		text = a.getenv(anchorEnv)
	}
	if text == "" {
		return "", "", nil
	}
	kind, path, _ = strings.Cut(text, ":")
	if kind != "file" && kind != "sqlite" || path == "" || strings.HasPrefix(path, "//") {
		return "", "", usagef("--anchor: file:PATH or sqlite:PATH")
	}
	path, err = filepath.Abs(path)
	return kind, path, err
}

// config is how the vault in store is opened, with the anchor if there is one: call done after the vault is closed. An anchor
// that is missing or empty may have been removed, so it is refused unless it is to begin here.
func (a *app) config(ctx context.Context, store vault.Store, root vault.RootKey, begin bool) (cfg vault.Config, done func() error, err error) {
	cfg, done = vault.Config{Store: store, Root: root}, func() error { return nil }
	kind, path, err := a.anchorPath()
	if err != nil || path == "" {
		return cfg, done, err
	}
	if begin {
		err = a.apart(path)
	} else if _, err = os.Stat(path); errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w at %s", errNoAnchor, path)
	}
	if err != nil {
		return cfg, done, err
	}
	at, err := a.openStore(ctx, kind, path)
	if err != nil {
		return cfg, done, fmt.Errorf("anchor: %w", foreign(err))
	}
	held := anchor.In(at, anchorName)
	h, err := held.Load(ctx)
	if err == nil && !begin && h == (audit.Head{}) {
		err = fmt.Errorf("%w at %s: it is empty", errNoAnchor, path)
	}
	if err != nil {
		return cfg, done, errors.Join(foreign(err), at.Close())
	}
	cfg.Anchor = held
	return cfg, at.Close, nil
}

// foreign makes an error of what lies in the place of the anchor one that is not of the vault's own store.
func foreign(err error) error {
	if errors.Is(err, vault.ErrTampered) {
		return fmt.Errorf("%w: %w", errForeign, err)
	}
	return err
}

// apart makes the folder of an anchor, and refuses that of the vault.
func (a *app) apart(path string) error {
	_, store, err := a.storePath()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil && beside(path, store) {
		err = usagef("the anchor must not lie in the folder of the vault, with which it would be put back: choose another disk")
	}
	return err
}

// unused refuses an anchor that another vault has, before there is a new one.
func unused(ctx context.Context, held vault.Anchor) error {
	if held == nil {
		return nil
	}
	h, err := held.Load(ctx)
	if err == nil && h != (audit.Head{}) {
		err = usagef("--anchor: there is the anchor of another vault, or of one that was here: choose another place")
	}
	return err
}

func newAnchorCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "anchor",
		Short: "Begin an anchor, which finds that the vault was put back",
		Long: `Anchor begins an anchor at --anchor: a small store that holds the head of the log, moved on before anything is released. With
--anchor (or $` + anchorEnv + `) every command then finds that the whole vault was put back to an older state, or that a copy went its
own way. It is worth what the other place is worth: another machine's disk, another account, another backup. One place is for one
vault. Each use of the vault waits for it, and file:PATH serves one process at a time.`,
		Example: "  keyward anchor --anchor sqlite:/mnt/other/keyward/anchor.db",
		Args:    want(0, 0, "--anchor file:PATH|sqlite:PATH"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			_, path, err := a.anchorPath()
			if err == nil && path == "" {
				err = usagef("say where it shall be: --anchor file:PATH or sqlite:PATH")
			}
			if err != nil {
				return err
			}
			return a.openVault(ctx, true, func(v *vault.Vault) error {
				op, err := a.operator(v)
				if err != nil {
					return err
				}
				if _, err := op.Log(ctx, a.reason); err != nil { // its record is the first that the anchor holds
					return err
				}
				a.printf("an anchor has begun at %s: use it with every command and in every process", path)
				return nil
			})
		},
	}
}
