// SPDX-License-Identifier: Apache-2.0

// Restore: the machine of a vault is gone, and comes back from a backup; and what happens when somebody puts back an old copy
// in secret.
//
//	go run ./examples/restore
//
// It loses a vault and restores it in another place: values and log are back, every token is dead. Then it plays the
// attacker, who puts yesterday's files back so that a revoked token works again: the anchor, which is kept on another system,
// finds it. It runs offline and leaves nothing behind. docs/restore.md is the page for the night on which it has to be done.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/anchor"
	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/examples/internal/show"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const path = "production/search/tavily-key"

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// site is where a vault lives: its folder, its root key, and its anchor on another system.
type site struct {
	dir    string
	root   vault.RootKey
	anchor *anchor.Anchor
}

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "keyward-restore-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	elsewhere, err := file.Open(ctx, filepath.Join(dir, "anchors")) // a real one is on another machine
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, elsewhere.Close()) }()
	a := site{filepath.Join(dir, "machine-a"), kms.KeyFile(filepath.Join(dir, "root.key")), anchor.In(elsewhere, "production")}
	b := site{filepath.Join(dir, "machine-b"), a.root, a.anchor}
	backup := filepath.Join(dir, "agents.backup")

	token, err := dayOne(ctx, out, a, backup)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThat night machine-a burns down. On machine-b:")
	if err := restore(ctx, out, b, backup, token); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nAn attacker keeps a copy of all files of machine-b, and puts them back after the token is revoked:")
	return rollback(ctx, out, b)
}

// dayOne makes a vault, an agent's token and a backup.
func dayOne(ctx context.Context, out io.Writer, s site, to string) (token vault.Token, err error) {
	v, err := s.open(ctx)
	if err != nil {
		return token, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	op := v.Operator("keeper")
	if _, err := op.Put(ctx, vault.Item{Path: path, Value: vault.NewSecret("not-a-real-key")}); err != nil {
		return token, err
	}
	agent, err := issue(ctx, op)
	if err != nil {
		return token, err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return token, err
	}
	err = errors.Join(op.Backup(ctx, f, "every night"), f.Sync(), f.Close())
	show.Works(out, "On machine-a the agent's token", get(ctx, agent))
	return agent.Token(), err
}

// restore opens the backup on another machine. Open would refuse: the anchor knows records that the backup has not.
func restore(ctx context.Context, out io.Writer, s site, from string, old vault.Token) (err error) {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	cfg, err := s.config(ctx)
	if err != nil {
		return err
	}
	v, err := vault.Restore(ctx, cfg, f, "machine-a burned down")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	op := v.Operator("keeper")
	show.Works(out, "  The operator", get(ctx, op))
	show.Works(out, "  The agent's old token", get(ctx, v.Session(old, netip.Addr{})))
	fresh, err := issue(ctx, op)
	if err != nil {
		return err
	}
	show.Works(out, "  A new one", get(ctx, fresh))
	for r, err := range v.Log().Records(ctx, audit.Filter{Op: "restore"}) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  The log says: %s, %s, %q\n", r.Op, r.Outcome, r.Reason)
	}
	return v.Log().Verify(ctx)
}

// rollback puts an older copy of everything back.
func rollback(ctx context.Context, out io.Writer, s site) error {
	v, err := s.open(ctx)
	if err != nil {
		return err
	}
	agent, err := issue(ctx, v.Operator("keeper"))
	if err != nil {
		return errors.Join(err, v.Close())
	}
	claims, err := agent.Claims(ctx)
	if err := errors.Join(err, v.Close()); err != nil {
		return err
	}
	if err := copyFolder(s.dir+"-copy", s.dir); err != nil {
		return err
	}
	if v, err = s.open(ctx); err != nil {
		return err
	}
	err = v.Operator("keeper").Revoke(ctx, claims[0].ID, "the laptop was stolen")
	if err := errors.Join(err, v.Close(), os.RemoveAll(s.dir), os.Rename(s.dir+"-copy", s.dir)); err != nil {
		return err
	}
	_, err = s.open(ctx)
	fmt.Fprintf(out, "  Open: %v\n", err)
	if !errors.Is(err, vault.ErrRollback) {
		return errors.New("the rollback was not found")
	}

	// If it was no attacker, and this copy is the newest there is, whoever restores vouches for it.
	cfg, err := s.config(ctx)
	if err != nil {
		return err
	}
	if v, err = vault.Restore(ctx, cfg, nil, "the disk was replaced from yesterday's image"); err != nil {
		return err
	}
	fmt.Fprintln(out, "  If it was no attacker: Restore without a backup accepts what is there, and every token is dead.")
	show.Works(out, "  The revoked token", get(ctx, v.Session(agent.Token(), netip.Addr{})))
	return v.Close()
}

func copyFolder(to, from string) error {
	files, err := os.ReadDir(from)
	if err == nil {
		err = os.Mkdir(to, 0o700)
	}
	for _, f := range files {
		data, e := os.ReadFile(filepath.Join(from, f.Name()))
		err = errors.Join(err, e, os.WriteFile(filepath.Join(to, f.Name()), data, 0o600))
	}
	return err
}

func (s site) config(ctx context.Context) (vault.Config, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return vault.Config{}, err
	}
	store, err := file.Open(ctx, filepath.Join(s.dir, "agents.journal"))
	return vault.Config{Store: store, Root: s.root, Anchor: s.anchor}, err
}

func (s site) open(ctx context.Context) (*vault.Vault, error) {
	cfg, err := s.config(ctx)
	if err != nil {
		return nil, err
	}
	return vault.Open(ctx, cfg)
}

func issue(ctx context.Context, op *vault.Operator) (*vault.Session, error) {
	return op.Issue(ctx, vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:production/*"), TTL: time.Hour})
}

func get(ctx context.Context, s interface {
	Get(context.Context, vault.Request) (vault.Item, error)
}) error {
	_, err := s.Get(ctx, vault.Request{Path: path, Reason: "search the web"})
	return err
}
