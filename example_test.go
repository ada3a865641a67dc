// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package keyward_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// The program of README.md. In place of the search service answers a server on this machine that checks the key.
func Example() {
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer tvly-example" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		fmt.Fprintln(w, "3 papers found at", r.Host)
	}))
	defer api.Close()
	dir, err := os.MkdirTemp("", "keyward-readme-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	client := api.Client() // dials the server for every name below example.com
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if err := research(context.Background(), dir, client); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 200 OK 3 papers found at api.example.com
	// vault: get production/search/search-key: denied
	// researcher use production/search/search-key: granted, "find papers"
	// researcher get production/search/search-key: denied, "show me the key"
}

func research(ctx context.Context, dir string, client *http.Client) error {
	store, err := sqlite.Open(ctx, dir+"/agents.db")
	if err != nil {
		return err
	}
	v, err := vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(dir + "/root.key")})
	if err != nil {
		return err
	}
	defer v.Close()

	op := v.Operator("research-service") // full authority under a recorded name; stays in this process
	_, err = op.Put(ctx, vault.Item{
		Path:   "production/search/search-key",
		Value:  vault.NewSecret("tvly-example"),
		Policy: vault.Policy{Hosts: []string{"api.example.com"}}, // the only places where it may be used
	})
	if err != nil {
		return err
	}
	researcher, err := op.Issue(ctx, vault.Grant{ // what the agent is given
		Agent:  "researcher",
		Scopes: scope.MustParse("secrets:use:production/search/*"),
		TTL:    30 * time.Minute,
	})
	if err != nil {
		return err
	}

	// The tool of the agent: applies a key that neither model nor agent sees.
	ask := vault.Request{Path: "production/search/search-key", Reason: "find papers", URL: "https://api.example.com/search"}
	err = researcher.Use(ctx, ask, func(it vault.Item) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, ask.URL, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+it.Value.Reveal())
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		fmt.Printf("%s %s", resp.Status, answer)
		return err
	})
	if err != nil {
		return err
	}
	_, err = researcher.Get(ctx, vault.Request{Path: "production/search/search-key", Reason: "show me the key"})
	fmt.Println(err) // its scope says use, not read

	for r, err := range v.Log().Records(ctx, audit.Filter{Agent: "researcher"}) {
		if err != nil {
			return err
		}
		fmt.Printf("%s %s %s: %s, %q\n", r.Agent, r.Op, r.Path, r.Outcome, r.Reason)
	}
	return v.Log().Verify(ctx)
}
