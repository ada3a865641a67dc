// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const exampleKey = "production/search/search-key"

// exampleVault is a vault in memory with one secret, and an agent that may read below production/*.
func exampleVault() (v *vault.Vault, op *vault.Operator, researcher *vault.Session, done func()) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "keyward")
	if err != nil {
		log.Fatal(err)
	}
	v, err = vault.Open(ctx, vault.Config{Store: memory.New(), Root: kms.KeyFile(filepath.Join(dir, "root.key"))})
	if err != nil {
		log.Fatal(err)
	}
	op = v.Operator("example")
	if _, err := op.Put(ctx, vault.Item{Path: exampleKey, Value: vault.NewSecret("not-a-real-key")}); err != nil {
		log.Fatal(err)
	}
	researcher, err = op.Issue(ctx, vault.Grant{
		Agent: "researcher", Scopes: scope.MustParse("secrets:read:production/*"), TTL: time.Hour,
	})
	if err != nil {
		log.Fatal(err)
	}
	return v, op, researcher, func() {
		if err := errors.Join(v.Close(), os.RemoveAll(dir)); err != nil {
			log.Fatal(err)
		}
	}
}

// A holder narrows its token without the vault, and hands on what can do less.
func ExampleToken_Narrow() {
	v, _, researcher, done := exampleVault()
	defer done()
	narrow, err := researcher.Token().Narrow(vault.Grant{
		Agent: "researcher/summariser", Scopes: scope.MustParse("secrets:read:production/search/*"), MaxUses: 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	summariser := v.Session(narrow, netip.Addr{})
	for range 2 {
		it, err := summariser.Get(context.Background(), vault.Request{Path: exampleKey, Reason: "summarise"})
		fmt.Println(it.Version, err)
	}
	// Output:
	// 1 <nil>
	// 0 vault: get production/search/search-key: token is not valid
}

// The token of a sub-agent ends with the function that it runs in.
func ExampleSession_Spawn() {
	_, _, researcher, done := exampleVault()
	defer done()
	ctx := context.Background()
	var kept *vault.Session
	err := researcher.Spawn(ctx, vault.Grant{Agent: "researcher/reader"}, func(ctx context.Context, reader *vault.Session) error {
		kept = reader
		_, err := reader.Get(ctx, vault.Request{Path: exampleKey})
		return err
	})
	fmt.Println(err)
	_, err = kept.Get(ctx, vault.Request{Path: exampleKey})
	fmt.Println(errors.Is(err, vault.ErrDeadToken))
	// Output:
	// <nil>
	// true
}

// Another process holds an agent key, with which it issues tokens inside fixed limits and can do nothing else.
func ExampleOperator_NewKey() {
	v, op, _, done := exampleVault()
	defer done()
	ctx := context.Background()
	_, cred, err := op.NewKey(ctx, vault.Key{
		Name:    "crawler",
		Limits:  vault.Grant{Scopes: scope.MustParse("secrets:use:production/search/*"), Agent: "crawler", TTL: time.Minute},
		Expires: time.Now().Add(30 * 24 * time.Hour),
	}, "the crawler runs on another machine")
	if err != nil {
		log.Fatal(err)
	}
	crawler := v.Session(cred, netip.MustParseAddr("10.1.2.3")) // where the request that brought the credential came from
	run, err := crawler.Issue(ctx, vault.Grant{Agent: "crawler/run7", Scopes: scope.MustParse("secrets:use:production/search/*"), TTL: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Use(ctx, vault.Request{Path: exampleKey}, func(vault.Item) error { return nil }))
	_, err = crawler.Get(ctx, vault.Request{Path: exampleKey})
	fmt.Println(errors.Is(err, vault.ErrDenied))
	// Output:
	// <nil>
	// true
}

// A freeze stops an agent at once, whatever tokens it has; a revocation ends one token and all below it.
func ExampleOperator_Freeze() {
	_, op, researcher, done := exampleVault()
	defer done()
	ctx := context.Background()
	get := func() {
		_, err := researcher.Get(ctx, vault.Request{Path: exampleKey})
		fmt.Println(err)
	}
	what := vault.Frozen{Kind: "agent", Value: "researcher"}
	if err := op.Freeze(ctx, what, "it calls a host that nobody knows"); err != nil {
		log.Fatal(err)
	}
	get()
	if err := op.Thaw(ctx, what, "it was the new mirror"); err != nil {
		log.Fatal(err)
	}
	get()
	claims, err := researcher.Claims(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := op.Revoke(ctx, claims[len(claims)-1].ID, "the run is over"); err != nil {
		log.Fatal(err)
	}
	get()
	// Output:
	// vault: get production/search/search-key: denied
	// <nil>
	// vault: get production/search/search-key: token is not valid
}

// One record is proven to whoever has a checkpoint and the log's public key, without the rest of the log.
func ExampleLog_Prove() {
	v, _, researcher, done := exampleVault()
	defer done()
	ctx := context.Background()
	if _, err := researcher.Get(ctx, vault.Request{Path: exampleKey, Reason: "find papers"}); err != nil {
		log.Fatal(err)
	}
	checkpoint, err := v.Log().Checkpoint(ctx)
	if err != nil {
		log.Fatal(err)
	}
	line, proof, err := v.Log().Prove(ctx, 3, checkpoint)
	if err != nil {
		log.Fatal(err)
	}

	head, err := audit.ParseCheckpoint(checkpoint, v.Log().Key()) // the other side, which kept the key
	if err != nil {
		log.Fatal(err)
	}
	record, err := audit.ParseRecord(line)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(record.Op, record.Agent, record.Reason, audit.CheckRecord(line, 3, head, proof))
	// Output: get researcher find papers <nil>
}

// The log of last year moves into a file. Whoever verifies goes from part to part; a proof goes across the cut.
func ExampleOperator_Archive() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "keyward")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	now := time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)
	v, err := vault.Open(ctx, vault.Config{
		Store: memory.New(), Root: kms.KeyFile(filepath.Join(dir, "root.key")), Now: func() time.Time { return now },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	op := v.Operator("example")
	if _, err := op.Put(ctx, vault.Item{Path: exampleKey, Value: vault.NewSecret("not-a-real-key")}); err != nil {
		log.Fatal(err)
	}
	now = now.AddDate(0, 0, 1)
	if _, err := op.Get(ctx, vault.Request{Path: exampleKey}); err != nil {
		log.Fatal(err)
	}

	file, err := os.Create(filepath.Join(dir, "2026.log"))
	if err != nil {
		log.Fatal(err)
	}
	if err := op.Archive(ctx, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), file, "a new year"); err != nil {
		log.Fatal(err)
	}
	file.Close() // it was synced

	// The other side, which kept the key.
	archive, err := os.ReadFile(file.Name())
	if err != nil {
		log.Fatal(err)
	}
	head, err := audit.Verify(bytes.NewReader(archive), v.Log().Key())
	fmt.Println(head.Size, "records in the archive,", err)
	var rest bytes.Buffer
	if err := v.Log().Export(ctx, &rest); err != nil {
		log.Fatal(err)
	}
	from, err := audit.ReadCheckpoint(bytes.NewReader(archive))
	if err != nil {
		log.Fatal(err)
	}
	head, err = audit.VerifyFrom(from, &rest, v.Log().Key())
	fmt.Println(head.Size, "records in all,", err)
	// Output:
	// 2 records in the archive, <nil>
	// 4 records in all, <nil>
}
