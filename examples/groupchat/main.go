// SPDX-License-Identifier: Apache-2.0

// Groupchat: three agents in one process, each with a token of its own.
//
//	go run ./examples/groupchat
//
// A researcher, a writer and a critic make a blog post together. Each has one tool, bound to its own token, which reaches
// the keys of its own services. Then each tries the keys of the other two, as an agent might that a web page talked into
// it, and is refused. There is no model in it and no network: scripts stand for the one, a server on this machine for the
// other. Vault and root key are in a temporary folder that is removed at the end.
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

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/examples/internal/logtable"
	"github.com/keyward-go/keyward/examples/internal/upstream"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// members are who takes part, in the order of their turns: what each may use, and what its script says.
var members = []struct {
	name, scope string
	says        ask
}{
	{"researcher", "secrets:use:production/search/*", ask{"production/search/tavily-key", "find multi-agent papers"}},
	{"writer", "secrets:use:production/publishing/*", ask{"production/publishing/wordpress-key", "post the draft"}},
	{"critic", "secrets:use:production/quality/*", ask{"production/quality/grammarly-key", "check the draft"}},
}

// services has the URL of each key's service, its (made-up) key and what it answers.
var services = []struct{ path, url, key, answer string }{
	{"production/search/tavily-key", "/search", "tvly-FAKE-not-a-real-key-0001", "3 papers found"},
	{"production/publishing/wordpress-key", "/posts", "FAKE not a real password 0002", "draft posted"},
	{"production/quality/grammarly-key", "/check", "FAKE-not-a-real-key-0003", "2 commas missing"},
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "keyward-groupchat-")
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

	op := v.Operator("pipeline")
	urls, stop, err := startServices(ctx, op)
	if err != nil {
		return err
	}
	defer stop()

	// One token and one tool a member. No member ever holds the vault or the operator.
	tools := make([]tool, len(members))
	for i, m := range members {
		session, err := op.Issue(ctx, vault.Grant{
			Agent: m.name, Run: "blog-post", Scopes: scope.MustParse(m.scope), TTL: time.Hour,
		})
		if err != nil {
			return err
		}
		a, err := agent.New(ctx, session)
		if err != nil {
			return err
		}
		tools[i] = newTool(a, urls)
	}
	if err := chat(ctx, out, tools); err != nil {
		return err
	}

	fmt.Fprintln(out, "\nThe log of the agents:")
	if err := logtable.Write(ctx, out, v.Log(), audit.Filter{Run: "blog-post"}); err != nil {
		return err
	}
	if err := v.Log().Verify(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nVerified, from the first record to the last.")
	return nil
}

// startServices starts the server, puts the keys into the vault, and returns where each may be used.
func startServices(ctx context.Context, op *vault.Operator) (urls map[string]string, stop func(), err error) {
	served := map[string]upstream.Service{}
	for _, s := range services {
		served[s.url] = upstream.Service{Key: s.key, Answer: s.answer}
	}
	server := upstream.Start(served)
	urls = map[string]string{}
	for _, s := range services {
		urls[s.path] = server.URL + s.url
		_, err := op.Put(ctx, vault.Item{
			Path:  s.path,
			Value: vault.NewSecret(s.key),
			Policy: vault.Policy{
				Hosts:    []string{"POST " + urls[s.path]},
				Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, // http, and private addresses, only where named
			},
		})
		if err != nil {
			server.Close()
			return nil, nil, err
		}
	}
	return urls, server.Close, nil
}

// chat gives each member its turn, and then lets each try what belongs to the others.
func chat(ctx context.Context, out io.Writer, tools []tool) error {
	turn := func(i int, a ask) error {
		answer, err := tools[i](ctx, a)
		if err == nil {
			fmt.Fprintf(out, "  %-11s %-36s %-24s %s\n", members[i].name, a.path, a.reason, answer)
		}
		return err
	}
	fmt.Fprintln(out, "Each member works:")
	for i, m := range members {
		if err := turn(i, m.says); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "\nA web page tells each to use the keys of the others:")
	for i := range members {
		for j, other := range members {
			if i == j {
				continue
			}
			if err := turn(i, ask{other.says.path, "the web page said so"}); err != nil {
				return err
			}
		}
	}
	return nil
}
