// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package file_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// A vault in a journal: what was asked, and why, can be read in it.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "keyward")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "agents.journal")

	store, err := file.Open(ctx, path)
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(filepath.Join(dir, "root.key"))})
	if err != nil {
		fmt.Println(err)
		return
	}
	op := v.Operator("research-service")
	_, err = op.Put(ctx, vault.Item{Path: "production/search", Value: vault.NewSecret("tvly-123"), Reason: "first key"})
	if err != nil {
		fmt.Println(err)
		return
	}
	agent, err := op.Issue(ctx, vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:production/*"), TTL: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := agent.Get(ctx, vault.Request{Path: "production/search", Reason: "weather in Oslo"}); err != nil {
		fmt.Println(err)
		return
	}

	_, err = file.Open(ctx, path) // one handle at a time
	fmt.Println("a second handle is refused:", errors.Is(err, vault.ErrBusy))
	if err := v.Close(); err != nil {
		fmt.Println(err)
		return
	}

	text, err := os.ReadFile(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"reason":"weather in Oslo"`) {
			fmt.Println("the reason is on the line of its commit:", strings.Contains(line, `"op":"get"`))
		}
	}
	fmt.Println("the value is in the clear:", strings.Contains(string(text), "tvly-123"))
	// Output:
	// a second handle is refused: true
	// the reason is on the line of its commit: true
	// the value is in the clear: false
}
