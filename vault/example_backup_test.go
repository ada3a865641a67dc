// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// A backup is made while the vault is in use, and restored into an empty store. Values and log are back; tokens and keys of the
// old vault are dead, so new ones are issued.
func ExampleRestore() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "keyward")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	root := kms.KeyFile(filepath.Join(dir, "root.key")) // keep it elsewhere than the backups, and do not lose it: they need it
	v, err := vault.Open(ctx, vault.Config{Store: memory.New(), Root: root})
	if err != nil {
		log.Fatal(err)
	}
	op := v.Operator("ops")
	if _, err := op.Put(ctx, vault.Item{Path: exampleKey, Value: vault.NewSecret("not-a-real-key")}); err != nil {
		log.Fatal(err)
	}
	grant := vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:production/*"), TTL: time.Hour}
	before, err := op.Issue(ctx, grant)
	if err != nil {
		log.Fatal(err)
	}

	name := filepath.Join(dir, "vault.backup")
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	err = op.Backup(ctx, file, "nightly")
	if err := errors.Join(err, file.Sync(), file.Close(), v.Close()); err != nil {
		log.Fatal(err) // only what was written without an error is a backup
	}

	if file, err = os.Open(name); err != nil {
		log.Fatal(err)
	}
	v, err = vault.Restore(ctx, vault.Config{Store: memory.New(), Root: root}, file, "the disk is gone")
	if err := errors.Join(err, file.Close()); err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	_, err = v.Session(before.Token(), netip.Addr{}).Get(ctx, vault.Request{Path: exampleKey})
	fmt.Println(err)
	after, err := v.Operator("ops").Issue(ctx, grant)
	if err != nil {
		log.Fatal(err)
	}
	it, err := after.Get(ctx, vault.Request{Path: exampleKey})
	fmt.Println(it.Version, err, v.Log().Verify(ctx))
	// Output:
	// vault: get production/search/search-key: token is not valid
	// 1 <nil> <nil>
}
