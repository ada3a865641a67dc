// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// age makes the vault of HOME, if there is none, and puts a value at path, at a time.
func (s *terminal) age(at, path string) {
	s.t.Helper()
	now, err := time.Parse(time.RFC3339, at)
	if err != nil {
		s.t.Fatal(err)
	}
	s.open(func() time.Time { return now }, func(op *vault.Operator) error {
		_, err := op.Put(s.t.Context(), vault.Item{Path: path, Value: vault.NewSecret(canary)})
		return err
	})
}

// open calls f with an operator of the vault of HOME, whose clock is now.
func (s *terminal) open(now func() time.Time, f func(*vault.Operator) error) {
	s.t.Helper()
	a := &app{getenv: s.value}
	kind, path, err := a.storePath()
	if err != nil {
		s.t.Fatal(err)
	}
	key, err := a.rootPath()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range []string{path, key} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			s.t.Fatal(err)
		}
	}
	ctx := context.Background()
	root, err := a.rootKey(ctx, false)
	if err != nil {
		s.t.Fatal(err)
	}
	store, err := a.openStore(ctx, kind, path)
	if err != nil {
		s.t.Fatal(err)
	}
	v, err := vault.Open(ctx, vault.Config{Store: store, Root: root, Now: now})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := f(v.Operator("tester")); err != nil {
		s.t.Error(err)
	}
	if err := v.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func TestRotate(t *testing.T) {
	spent(t).play(`
		$ keyward rotate --reason yearly
		! ^the keys are new; tokens live on\n$
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key
		= $canary
		$ keyward rotate --compromised
		! every token is dead
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key
		? 3
		$ keyward get production/search/key
		= $canary

		$ keyward rotate --new-root nonsense
		! --new-root: file:PATH or passphrase
		? 2
		$ keyward rotate --new-root file:$HOME/.local/share/keyward/root-2.key
		! must not lie in the folder of the vault
		? 2
		$ keyward rotate --new-root file:$DIR/keys/root-2.key --compromised
		! From now on the vault opens with --root file:.*/keys/root-2.key alone\.\n  Restart with it what has this vault open: keyward serve
		! every token is dead
		$ keyward get production/search/key
		! wrong root key
		? 1
		$ keyward get production/search/key --root file:$DIR/keys/root-2.key
		= $canary
		tty$ keyward rotate --root file:$DIR/keys/root-2.key --new-root passphrase < three-random-words three-random-words
		! Now the new one:\npassphrase of the vault: \nonce more:
		$ keyward get production/search/key --root passphrase < three-random-words
		= $canary
	`)
}

func TestBackup(t *testing.T) {
	s := spent(t)
	s.play(`
		$ keyward freeze agent summariser
		$ keyward backup -o $DIR/vault.backup
		! the backup is in
		$ keyward backup -o $DIR/vault.backup
		! not written over
		? 1
		tty$ keyward backup
		! not for a terminal
		? 2
		$ keyward restore $DIR/vault.backup
		! there is a vault at .* already
		? 1
		$ keyward restore
		? 2
		$ keyward restore $DIR/vault.backup --store $DIR/other/vault.db --reason 'new disk'
		! The vault is restored at .*/other/vault.db\.\n  Every token
		$ keyward get production/search/key --store $DIR/other/vault.db
		= $canary
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key --store $DIR/other/vault.db
		? 3
		$ keyward audit list --store $DIR/other/vault.db --op restore
		> "new disk"
		$ keyward thaw agent summariser --store $DIR/other/vault.db
		$ keyward restore $DIR/vault.backup --store $DIR/third/vault.db --root file:$DIR/keys/none.key
		! no root key
		? 1
	`)
	if info, err := os.Stat(filepath.Join(s.vars["DIR"], "vault.backup")); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	half, err := os.ReadFile(filepath.Join(s.vars["DIR"], "vault.backup"))
	if err != nil {
		t.Fatal(err)
	}
	s.file("half.backup", string(half[:len(half)/2]))
	s.play(`
		$ keyward restore $DIR/half.backup --store $DIR/fourth/vault.db
		? 5
	`)
}

// TestRollback: a store that was put back alone is found by its head file, all of it by the anchor, and by a checkpoint.
func TestRollback(t *testing.T) {
	s := newTerminal(t)
	s.vars["KEYWARD_ANCHOR"] = ""
	s.play(`
		$ keyward init
		$ keyward list --anchor sqlite:$DIR/elsewhere/anchor.db
		! there is no anchor at .*\n  is its disk mounted\?
		? 1
		$ keyward list --anchor elsewhere/anchor.db
		? 2
		$ keyward anchor
		? 2
		$ keyward anchor --anchor sqlite:$HOME/.local/share/keyward/anchor.db
		! must not lie in the folder of the vault
		? 2
		$ keyward anchor --anchor sqlite:$DIR/elsewhere/anchor.db
		! an anchor has begun at
		$ keyward set production/search/key --anchor sqlite:$DIR/elsewhere/anchor.db < old
	`)
	before := s.copyStore()
	s.play(`
		$ keyward set production/search/key --anchor sqlite:$DIR/elsewhere/anchor.db < $canary
		$ keyward checkpoint -o $DIR/monday.txt
	`)
	before.putBack("vault.db")
	s.play(`
		$ keyward get production/search/key
		! older than it was
		? 5
		$ keyward doctor
		> problem +(vault|store)
		? 5
	`)
	before.putBack("vault.db", "vault.db-head")
	s.play(`
		$ keyward get production/search/key
		= old
		$ keyward audit verify --checkpoint $DIR/monday.txt
		? 5
		$ keyward get production/search/key --anchor sqlite:$DIR/elsewhere/anchor.db
		! rolled back
		? 5
		$ KEYWARD_ANCHOR=sqlite:$DIR/elsewhere/anchor.db keyward get production/search/key
		? 5
		$ keyward doctor --anchor sqlite:$DIR/elsewhere/anchor.db
		> problem +vault +.*rolled back
		? 5
		$ keyward restore --accept-rollback --anchor sqlite:$DIR/elsewhere/anchor.db
		! needs a --reason
		? 2
		$ keyward restore --accept-rollback --anchor sqlite:$DIR/elsewhere/anchor.db --reason 'the snapshot of monday'
		! and there is no terminal to ask on: say --yes
		? 2
		tty$ keyward restore --accept-rollback --anchor sqlite:$DIR/elsewhere/anchor.db --reason 'the snapshot of monday' < yes
		! Type accept-rollback to go on(.|\n)*nothing was done
		? 2
		$ keyward restore --accept-rollback --anchor sqlite:$DIR/elsewhere/anchor.db --reason 'the snapshot of monday' --yes
		! is restored
		$ keyward restore --accept-rollback --anchor sqlite:$DIR/elsewhere/anchor.db --reason again --yes
		! opens and verifies as it is, so there is nothing to accept
		? 2
		$ keyward get production/search/key --anchor sqlite:$DIR/elsewhere/anchor.db
		= old
		$ keyward init --store $DIR/second/vault.db --root file:$DIR/keys/second.key --anchor file:$DIR/third/anchor
		$ keyward list --store $DIR/second/vault.db --root file:$DIR/keys/second.key --anchor file:$DIR/third/anchor
		! none
		$ keyward init --store $DIR/fourth/vault.db --root file:$DIR/keys/fourth.key --anchor file:$DIR/third/anchor
		! the anchor of another vault
		? 2
		$ keyward list --store $DIR/fourth/vault.db --root file:$DIR/keys/fourth.key
		? 4
		$ TOKEN=$(keyward token issue --agent a --scope secrets:read:production/* --anchor sqlite:$DIR/elsewhere/anchor.db)
	`)
	// Whoever puts everything back takes the anchor away too: what was revoked is dead all the same.
	before = s.copyStore()
	s.play("$ keyward freeze agent a --anchor sqlite:$DIR/elsewhere/anchor.db")
	before.putBack("vault.db", "vault.db-head")
	if err := os.RemoveAll(filepath.Join(s.vars["DIR"], "elsewhere")); err != nil {
		t.Fatal(err)
	}
	s.play(`
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key --anchor sqlite:$DIR/elsewhere/anchor.db
		! there is no anchor
		? 1
		$ keyward restore --accept-rollback --anchor sqlite:$DIR/elsewhere/anchor.db --reason 'it was lost'
		! say --yes
		? 2
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key --anchor sqlite:$DIR/elsewhere/anchor.db
		! there is no anchor
		? 1
		$ keyward restore --accept-rollback --anchor sqlite:$DIR/elsewhere/anchor.db --reason 'it was lost' --yes
		! is restored
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key --anchor sqlite:$DIR/elsewhere/anchor.db
		? 3
	`)
}

// copied are the files of the store of HOME as they were.
type copied struct {
	s     *terminal
	files map[string][]byte
}

func (s *terminal) storeFile(name string) string {
	return filepath.Join(s.vars["HOME"], ".local/share/keyward", name)
}

func (s *terminal) copyStore() copied {
	c := copied{s, map[string][]byte{}}
	for _, name := range []string{"vault.db", "vault.db-head"} {
		b, err := os.ReadFile(s.storeFile(name))
		if err != nil {
			s.t.Fatal(err)
		}
		c.files[name] = b
	}
	return c
}

func (c copied) putBack(names ...string) {
	for _, name := range names {
		if err := os.WriteFile(c.s.storeFile(name), c.files[name], 0o600); err != nil {
			c.s.t.Fatal(err)
		}
	}
}

// TestAcceptNothing: a vault that is as it was loses no token, and what cannot be opened for another cause is no rollback.
func TestAcceptNothing(t *testing.T) {
	s := spent(t)
	s.play(`
		$ keyward restore --accept-rollback --reason x --yes
		! nothing to accept, and nothing was changed(.|\n)*keyward rotate --compromised
		? 2
		$ keyward restore --accept-rollback --reason x --yes --root file:$DIR/none.key
		! no root key
		? 1
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key
		= $canary
	`)
	if err := os.Remove(s.storeFile("vault.db-head")); err != nil {
		t.Fatal(err)
	}
	s.play(`
		$ keyward get production/search/key
		? 5
	`)
	accept := []string{"keyward", "restore", "--accept-rollback", "--reason", "the head file is lost"}
	if _, said, code := s.run(true, "accept-rollback\n", accept...); code != exitOK || !strings.Contains(said, "is restored") {
		t.Errorf("it ends with %d: %s", code, said)
	}
	s.play(`
		$ keyward get production/search/key
		= $canary
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key
		? 3
	`)
}

func TestDestroy(t *testing.T) {
	spent(t).play(`
		$ keyward destroy production/search/key
		! --version is missing
		? 2
		$ keyward destroy production/search/key --version 1
		! say --yes
		? 2
		tty$ keyward destroy production/search/key --version 1 < production/other
		! that is something else, so nothing was done
		? 2
		$ keyward get production/search/key
		= $canary
		$ keyward delete production/search/key --version 1
		$ keyward destroy production/search/key --version 1 --yes --reason 'the wrong file'
		! version 1 of production/search/key is destroyed
		$ keyward destroy production/search/key --version 7 --yes
		? 4
		$ keyward set production/search/key < $canary
		tty$ keyward destroy production/search/key --version 2 < production/search/key
		? 2
	`)
}

func TestResetClock(t *testing.T) {
	s := newTerminal(t)
	s.age(time.Now().Add(24*time.Hour).Format(time.RFC3339), "production/search/key")
	s.play(`
		$ keyward get production/search/key
		! clock is behind the log(.|\n)*\n  set the clock
		? 1
		$ keyward reset-clock
		! needs a --reason
		? 2
		$ keyward reset-clock --yes --reason 'the battery failed'
		! every token is dead
		$ keyward get production/search/key
		= $canary
		$ keyward reset-clock --yes --reason again
		? 1
	`)
}
