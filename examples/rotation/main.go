// SPDX-License-Identifier: Apache-2.0

// Rotation: new keys in a vault that is in use, and another root.
//
//	go run ./examples/rotation
//
// It puts two hundred secrets into a vault, rotates its keys while an agent goes on reading, moves the vault to two roots
// either of which opens it, and at last does what one does when the keys may have leaked. It runs offline and leaves
// nothing behind. docs/rotate-keys.md is the page for the day on which it has to be done.
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
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/examples/internal/show"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const secrets = 200

var grant = vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:production/*"), TTL: time.Hour}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "keyward-rotation-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	first, second := filepath.Join(dir, "first.key"), filepath.Join(dir, "second.key")
	v, err := open(ctx, dir, kms.KeyFile(first))
	if err != nil {
		return err
	}
	defer func() {
		if v != nil {
			err = errors.Join(err, v.Close())
		}
	}()
	op := v.Operator("keeper")
	if err := fill(ctx, op); err != nil {
		return err
	}
	agent, err := op.Issue(ctx, grant)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "A vault of %d secrets. An agent reads them, over and over.\n\n", secrets)

	// While the agent reads, every data key is wrapped anew. No value is opened for it.
	reads, stop := busy(ctx, agent)
	err = op.RotateKeys(ctx, vault.Rotation{Reason: "every year", Progress: func(done, total int) {
		if done == total {
			fmt.Fprintf(out, "RotateKeys: %d of %d data keys wrapped with the new key\n", done, total)
		}
	}})
	failed := stop()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Meanwhile the agent read on, and %d reads failed.\n", failed)
	if reads.Load() == 0 {
		return errors.New("the agent read nothing")
	}
	show.Works(out, "Its token, issued before,", read(ctx, agent))

	// Two roots: either opens the vault, so losing one is not the end. Keep the two in two places.
	if err := op.SetRoot(ctx, kms.Either(kms.KeyFile(first), kms.KeyFile(second)), "a spare root"); err != nil {
		return err
	}
	if err := v.Close(); err != nil {
		return err
	}
	if err := os.Remove(first); err != nil {
		return err
	}
	fmt.Fprint(out, "\nSetRoot: the vault has two roots now. The first key file is lost.\n")
	if v, err = open(ctx, dir, kms.Either(kms.KeyFile(first), kms.KeyFile(second))); err != nil {
		return err
	}
	op, agent = v.Operator("keeper"), v.Session(agent.Token(), netip.Addr{})
	show.Works(out, "The vault opens with the second, and the agent's token", read(ctx, agent))
	if err := op.SetRoot(ctx, kms.KeyFile(second), "the first is lost"); err != nil {
		return err
	}

	// Should the keys have leaked: all tokens are dead when this returns, in every process.
	if err := op.RotateKeys(ctx, vault.Rotation{Reason: "a core dump was published", Compromised: true}); err != nil {
		return err
	}
	fmt.Fprint(out, "\nRotateKeys, compromised: every token that was ever issued is dead.\n")
	show.Works(out, "The agent's token", read(ctx, agent))
	if agent, err = op.Issue(ctx, grant); err != nil {
		return err
	}
	show.Works(out, "A new one", read(ctx, agent))
	return report(ctx, out, v.Log())
}

func open(ctx context.Context, dir string, root vault.RootKey) (*vault.Vault, error) {
	store, err := sqlite.Open(ctx, filepath.Join(dir, "agents.db"))
	if err != nil {
		return nil, err
	}
	return vault.Open(ctx, vault.Config{Store: store, Root: root})
}

func path(n int) string { return fmt.Sprintf("production/search/key-%d", n) }

func fill(ctx context.Context, op *vault.Operator) error {
	for n := range secrets {
		if _, err := op.Put(ctx, vault.Item{Path: path(n), Value: vault.NewSecret(fmt.Sprintf("not-a-real-key-%d", n))}); err != nil {
			return err
		}
	}
	return nil
}

func read(ctx context.Context, agent *vault.Session) error {
	_, err := agent.Get(ctx, vault.Request{Path: path(1), Reason: "search the web"})
	return err
}

// busy lets the agent read until stop is called, which answers how many reads failed.
func busy(ctx context.Context, agent *vault.Session) (reads *atomic.Int64, stop func() (failed int64)) {
	reads = new(atomic.Int64)
	var failed atomic.Int64
	ctx, cancel := context.WithCancel(ctx)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_, err := agent.Get(ctx, vault.Request{Path: path(n % secrets), Reason: "search the web"})
				if err == nil {
					reads.Add(1)
				} else if ctx.Err() == nil {
					failed.Add(1)
				}
			}
		})
	}
	for reads.Load() == 0 && failed.Load() == 0 {
		time.Sleep(time.Millisecond) // it has begun
	}
	return reads, func() int64 {
		cancel()
		readers.Wait()
		return failed.Load()
	}
}

// report prints what the log says of keys and roots, and verifies all of it.
func report(ctx context.Context, out io.Writer, l *vault.Log) error {
	fmt.Fprintln(out, "\nThe log of it:")
	for r, err := range l.Records(ctx, audit.Filter{}) {
		if err != nil {
			return err
		}
		if r.Op == "rotate" || r.Op == "root" {
			fmt.Fprintf(out, "  %-7s %-8s %-26s %s\n", r.Op, r.Outcome, r.Reason, r.Detail)
		}
	}
	if err := l.Verify(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "Verified.")
	return err
}
