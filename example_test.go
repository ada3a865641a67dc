// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package keyward_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"time"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// The program of README.md. In place of the search service answers a server on this machine that checks the key.
func Example() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer tvly-example" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		fmt.Fprintf(w, "3 papers on %s", r.URL.Query().Get("q"))
	}))
	defer api.Close()
	dir, err := os.MkdirTemp("", "keyward-readme-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := research(context.Background(), dir, api.URL); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 200 OK 3 papers on go
	// {"status":200,"content_type":"text/plain; charset=utf-8","body":"3 papers on keys"}
	// vault: get production/search/search-key: denied
	// researcher use production/search/search-key: granted, "find papers"
	// researcher use production/search/search-key: granted, "to cite"
	// researcher get production/search/search-key: denied, "show me the key"
}

func research(ctx context.Context, dir, api string) error {
	store, err := sqlite.Open(ctx, dir+"/agents.db")
	if err != nil {
		return err
	}
	// A key file beside the store is for a demonstration: keep yours where no backup of the store goes.
	v, err := vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(dir + "/root.key")})
	if err != nil {
		return err
	}
	defer v.Close()

	op := v.Operator("research-service") // full authority under a recorded name; stays in this process
	_, err = op.Put(ctx, vault.Item{
		Path:  "production/search/search-key",
		Value: vault.NewSecret("tvly-example"),
		Policy: vault.Policy{
			Hosts:    []string{api},                                        // the only places where it may be used
			Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, // this one is no public address
		},
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
	a, err := agent.New(ctx, researcher)
	if err != nil {
		return err
	}

	// For your code: an HTTP client that applies a key which neither model nor agent sees.
	resp, err := a.Client("production/search/search-key", "find papers").Get(api + "/search?q=go")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	fmt.Printf("%s %s\n", resp.Status, answer)
	if err != nil {
		return err
	}

	// For a framework: tools. The model writes which request it wants, and why; it has no key to give away.
	text, err := a.Tool("http_request").Call(ctx, `{"path": "production/search/search-key", "url": "`+api+`/search?q=keys", "reason": "to cite"}`)
	if err != nil {
		return err
	}
	fmt.Println(text)

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
