// SPDX-License-Identifier: Apache-2.0

// Server is a vault in memory for clients in other languages to be tried against.
//
//	server stdio    is started by the client, and serves the researcher on its standard input and output
//	server http     serves all over HTTP on loopback, prints where and with which tokens, and ends with its standard input
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/agent/mcp"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: server stdio|http")
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, how string) error {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "you sent %s", r.Header.Get("Authorization"))
	}))
	defer api.Close()
	dir, err := os.MkdirTemp("", "keyward-mcp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	v, err := vault.Open(ctx, vault.Config{Store: memory.New(), Root: kms.KeyFile(filepath.Join(dir, "root.key"))})
	if err != nil {
		return err
	}
	defer v.Close()
	op := v.Operator("test")
	for path, value := range map[string]string{"production/search/key": os.Getenv("SEARCH_KEY"), "production/publishing/key": os.Getenv("PUBLISHING_KEY")} {
		policy := vault.Policy{Hosts: []string{api.URL}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
		if _, err := op.Put(ctx, vault.Item{Path: path, Value: vault.NewSecret(value), Policy: policy}); err != nil {
			return err
		}
	}
	issue := func(name, scopes string) (*vault.Session, error) {
		return op.Issue(ctx, vault.Grant{Agent: name, Scopes: scope.MustParse(scopes), TTL: 10 * time.Minute})
	}
	researcher, err := issue("researcher", "secrets:read:production/search/*")
	if err != nil {
		return err
	}
	if how == "stdio" {
		return stdio(ctx, researcher)
	}

	writer, err := issue("writer", "secrets:use:production/publishing/*")
	if err != nil {
		return err
	}
	revoked, err := issue("revoked", "secrets:read:*")
	if err != nil {
		return err
	}
	claims, err := revoked.Claims(ctx)
	if err != nil {
		return err
	}
	if err := op.Revoke(ctx, claims[0].ID, "a test"); err != nil {
		return err
	}
	h, err := mcp.NewHandler(mcp.Config{Vault: v, Log: slog.Default()})
	if err != nil {
		return err
	}
	s := httptest.NewServer(h)
	defer s.Close()
	err = json.NewEncoder(os.Stdout).Encode(map[string]string{
		"url": s.URL + "/mcp", "api": api.URL,
		"researcher": researcher.Token().Reveal(), "writer": writer.Token().Reveal(), "revoked": revoked.Token().Reveal(),
	})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func stdio(ctx context.Context, run *vault.Session) error {
	a, err := agent.New(ctx, run)
	if err != nil {
		return err
	}
	return mcp.NewServer(a, slog.Default()).Run(ctx, mcp.Stdio())
}
