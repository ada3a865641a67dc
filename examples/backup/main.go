// SPDX-License-Identifier: Apache-2.0

// Backup: a copy of a vault that is in use, and the proof that it can be restored.
//
//	go run ./examples/backup
//
// It writes a backup to a file while an agent works, then rehearses: it restores the backup into memory, reads every value
// there, and compares. A backup that was never restored is a hope. It runs offline and leaves nothing behind. docs/backup.md is
// the page for whoever sets this up.
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

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const secrets = 20

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "keyward-backup-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	root := kms.KeyFile(filepath.Join(dir, "root.key"))
	store, err := sqlite.Open(ctx, filepath.Join(dir, "agents.db"))
	if err != nil {
		return err
	}
	v, err := vault.Open(ctx, vault.Config{Store: store, Root: root})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	op := v.Operator("keeper")
	for n := range secrets {
		if _, err := op.Put(ctx, vault.Item{Path: path(n), Value: value(n)}); err != nil {
			return err
		}
	}
	agent, err := op.Issue(ctx, vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:production/*"), TTL: time.Hour})
	if err != nil {
		return err
	}
	checkpoint, err := v.Log().Checkpoint(ctx) // kept elsewhere, as always
	if err != nil {
		return err
	}

	// The vault stays in use. The file holds no root key: keep the two in two places.
	to := filepath.Join(dir, "agents.backup")
	if err := backup(ctx, op, to); err != nil {
		return err
	}
	fmt.Fprintf(out, "Backed up %d secrets, online, into one text file.\n", secrets)
	claims, err := agent.Claims(ctx)
	if err != nil {
		return err
	}
	if err := op.Revoke(ctx, claims[len(claims)-1].ID, "the run is over"); err != nil {
		return err
	}
	fmt.Fprintln(out, "After it was written, the agent's token was revoked. The backup does not know.")

	fmt.Fprintln(out, "\nRehearsal: restored into memory, with the same root.")
	return rehearse(ctx, out, root, to, checkpoint, agent.Token())
}

// backup writes a file that is whole or not there.
func backup(ctx context.Context, op *vault.Operator, to string) (err error) {
	f, err := os.OpenFile(to+".part", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = op.Backup(ctx, f, "every night")
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), to)
}

func rehearse(ctx context.Context, out io.Writer, root vault.RootKey, from string, checkpoint []byte, old vault.Token) (err error) {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	v, err := vault.Restore(ctx, vault.Config{Store: memory.New(), Root: root}, f, "rehearsal")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	op := v.Operator("rehearsal")
	for n := range secrets {
		it, err := op.Get(ctx, vault.Request{Path: path(n), Reason: "rehearsal"})
		if err != nil {
			return err
		}
		if !it.Value.Equal(value(n)) {
			return fmt.Errorf("%s has another value", path(n))
		}
	}
	fmt.Fprintf(out, "  %d of %d values are there.\n", secrets, secrets)
	if err := v.Log().Verify(ctx, checkpoint); err != nil {
		return err
	}
	fmt.Fprintln(out, "  Its log verifies, and the checkpoint from before fits.")
	_, err = v.Session(old, netip.Addr{}).Get(ctx, vault.Request{Path: path(0), Reason: "is my token alive again?"})
	fmt.Fprintf(out, "  The revoked token: %v\n", err)
	if !errors.Is(err, vault.ErrDeadToken) {
		return errors.New("a dead token came back")
	}
	return nil
}

func path(n int) string { return fmt.Sprintf("production/search/key-%d", n) }

func value(n int) vault.Secret { return vault.NewSecret(fmt.Sprintf("not-a-real-key-%d", n)) }
