// SPDX-License-Identifier: Apache-2.0

// Quickstart: the keys of a .env file, one agent, one token, and the log of what it did.
//
//	go run ./examples/quickstart
//
// It moves the keys into a vault, gives the agent a token that may use one of them, lets the agent work, then prints the
// log and verifies it. There is no model in it and no network: a script stands for the one, a server on this machine for
// the other. Vault and root key are in a temporary folder that is removed at the end.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/joho/godotenv"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/examples/internal/logtable"
	"github.com/keyward-go/keyward/examples/internal/upstream"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// Embedded so that the example runs from any folder. A program of yours calls godotenv.Read(".env").
//
//go:embed .env
var dotenv string

// paths says where each name of the .env file goes. What is not named here is no secret and stays out.
var paths = map[string]string{
	"TAVILY_API_KEY":         "production/search/tavily-key",
	"WORDPRESS_APP_PASSWORD": "production/publishing/wordpress-key",
	"GRAMMARLY_API_KEY":      "production/quality/grammarly-key",
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	env, err := godotenv.Unmarshal(dotenv)
	if err != nil {
		return err
	}
	api := upstream.Start(map[string]upstream.Service{"/search": {Key: env["TAVILY_API_KEY"], Answer: "3 papers found"}})
	defer api.Close()

	// A vault: a store, and the key at its root. For real ones keep the two apart.
	dir, err := os.MkdirTemp("", "keyward-quickstart-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	store, err := sqlite.Open(ctx, filepath.Join(dir, "agents.db"))
	if err != nil {
		return err
	}
	v, err := vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(filepath.Join(dir, "root.key"))})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()

	// The operator is this program. It puts the keys in, and says where they may be used.
	op := v.Operator("quickstart")
	policies := map[string]vault.Policy{"production/search/tavily-key": {
		Hosts:    []string{"POST " + api.URL + "/search"},
		Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, // http, and private addresses, only where named
	}}
	if err := importEnv(ctx, out, op, env, policies); err != nil {
		return err
	}
	// The log's public key and a checkpoint, to be kept where the keeper of this vault cannot change them.
	key := v.Log().Key()
	before, err := v.Log().Checkpoint(ctx)
	if err != nil {
		return err
	}

	// The agent gets a token for what its run needs: to use what is below production/search, not to see it.
	researcher, err := op.Issue(ctx, vault.Grant{
		Agent:   "researcher",
		Scopes:  scope.MustParse("secrets:use:production/search/*"),
		TTL:     30 * time.Minute,
		MaxUses: 10,
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThe agent holds secrets:use:production/search/* for 30 minutes and 10 uses. It asks:")
	if err := work(ctx, out, researcher, dayAtWork(api.URL)); err != nil {
		return err
	}

	// The work is done, and the token ends with it.
	claims, err := researcher.Claims(ctx)
	if err != nil {
		return err
	}
	if err := op.Revoke(ctx, claims[len(claims)-1].ID, "the run is over"); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThe token is revoked. It asks once more:")
	if err := work(ctx, out, researcher, afterwards(api.URL)); err != nil {
		return err
	}

	fmt.Fprintln(out, "\nThe log:")
	if err := logtable.Write(ctx, out, v.Log(), audit.Filter{}); err != nil {
		return err
	}
	return verify(ctx, out, v.Log(), key, before)
}

// importEnv puts each key of env at its path.
func importEnv(ctx context.Context, out io.Writer, op *vault.Operator, env map[string]string, policies map[string]vault.Policy) error {
	fmt.Fprintln(out, "The .env file:")
	for _, name := range slices.Sorted(maps.Keys(env)) {
		path, ok := paths[name]
		if !ok {
			fmt.Fprintf(out, "  %-24sis no secret\n", name)
			continue
		}
		_, err := op.Put(ctx, vault.Item{
			Path: path, Value: vault.NewSecret(env[name]), Policy: policies[path], Reason: "from .env",
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %-24sis now %s\n", name, path)
	}
	return nil
}

// verify checks the log as somebody elsewhere would: from an export, the public key, and a checkpoint kept since.
func verify(ctx context.Context, out io.Writer, l *vault.Log, key string, before []byte) error {
	var export bytes.Buffer
	if err := l.Export(ctx, &export); err != nil {
		return err
	}
	head, err := audit.Verify(bytes.NewReader(export.Bytes()), key, before)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nVerified: the %d records are those that were signed, and the checkpoint from before the run fits.\n", head.Size)
	forged := bytes.Replace(export.Bytes(), []byte(`"denied"`), []byte(`"granted"`), 1)
	if _, err = audit.Verify(bytes.NewReader(forged), key, before); err == nil {
		return errors.New("a forged log was accepted")
	}
	fmt.Fprintf(out, "With one refusal made a grant: %v\n", err)
	return nil
}
