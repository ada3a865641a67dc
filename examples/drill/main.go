// SPDX-License-Identifier: Apache-2.0

// Drill: a key has leaked, and it is 3 a.m.
//
//	go run ./examples/drill
//
// A value was found on a public page. Whose is it? It is frozen, everywhere, while a hostile agent keeps calling with it; the
// log says who used it in seven days; a new value is put, the hostile token revoked, and the path thawed. The log proves
// that nothing was granted in between: its export is verified with the public key alone. It runs offline and leaves nothing behind.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

const (
	path   = "production/search/api-key"
	leaked = "not-a-real-key-1"
	fresh  = "not-a-real-key-2"
	day    = 24 * time.Hour

	refusals = 100 // that the hostile agent has to see before anything else is done
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	up := start(leaked)
	defer up.Close()
	dir, err := os.MkdirTemp("", "keyward-drill-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	clock := &clock{ahead: -9 * day} // the story begins nine days ago
	v, err := vault.Open(ctx, vault.Config{Store: memory.New(), Root: kms.KeyFile(dir + "/root.key"), Now: clock.now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	op := v.Operator("on-call")
	if _, err := op.Put(ctx, vault.Item{Path: path, Value: vault.NewSecret(leaked), Policy: vault.Policy{
		Hosts: []string{up.URL + "/v1"}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}}); err != nil {
		return err
	}
	for _, past := range []struct {
		agent string
		wait  time.Duration
	}{{"archivist", 0}, {"writer", 5 * day}, {"researcher", 3 * day}} {
		clock.add(past.wait)
		if _, err := once(ctx, op, past.agent, up.URL); err != nil {
			return err
		}
	}
	clock.add(day)
	client, token, err := newClient(ctx, op, "helpdesk")
	if err != nil {
		return err
	}
	attacker := attack(ctx, client, token, up.URL)
	err = respond(ctx, out, v, op, up, attacker)
	tried := attacker.stop()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nAll the while the hostile agent called on: %s.\n", tried)
	answer, err := once(ctx, op, "researcher", up.URL)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The researcher works with the new value: %s\n", answer)
	return prove(ctx, out, v)
}

// respond is what the person on call does.
func respond(ctx context.Context, out io.Writer, v *vault.Vault, op *vault.Operator, up *upstream, attacker *hostile) error {
	fmt.Fprintln(out, "03:00  A value was found on a public page.")
	items, err := op.Whose(ctx, vault.NewSecret(leaked))
	if err != nil || len(items) != 1 {
		return errors.Join(err, fmt.Errorf("the value is known %d times", len(items)))
	}
	it := items[0]
	fmt.Fprintf(out, "Whose  %s, version %d\n", it.Path, it.Version)

	what := vault.Frozen{Kind: "path", Value: it.Path}
	if err := op.Freeze(ctx, what, "a leaked key"); err != nil {
		return err
	}
	fmt.Fprintln(out, "Freeze every use of it is refused from now on, in every process")

	attacker.wait(func() bool { return attacker.refused >= refusals })

	used := map[string]bool{}
	week := audit.Filter{Path: it.Path, Op: "use", Outcome: audit.Granted, From: time.Now().Add(-7 * day)}
	for r, err := range v.Log().Records(ctx, week) {
		if err != nil {
			return err
		}
		used[r.Agent] = true
	}
	fmt.Fprintf(out, "Who    in seven days: %s\n", strings.Join(slices.Sorted(maps.Keys(used)), ", "))

	if err := op.Revoke(ctx, attacker.token[0].ID, "the helpdesk has no business there"); err != nil {
		return err
	}
	fmt.Fprintln(out, "Revoke the token of helpdesk, and all that was narrowed from it")
	version, err := op.Put(ctx, vault.Item{Path: it.Path, Value: vault.NewSecret(fresh), Reason: "version 1 leaked"})
	if err != nil {
		return err
	}
	up.accept(fresh)
	fmt.Fprintf(out, "Put    version %d; the service takes no other key any more\n", version)
	if err := op.Thaw(ctx, what, "the new value is in place"); err != nil {
		return err
	}
	fmt.Fprintln(out, "Thaw   work goes on")
	return nil
}

// prove exports the log and verifies it as somebody would who has the public key and nothing else.
func prove(ctx context.Context, out io.Writer, v *vault.Vault) error {
	var export bytes.Buffer
	if err := v.Log().Export(ctx, &export); err != nil {
		return err
	}
	if _, err := audit.Verify(bytes.NewReader(export.Bytes()), v.Log().Key()); err != nil {
		return err
	}
	frozen, granted := false, 0
	for line := range strings.Lines(export.String()) {
		r, err := audit.ParseRecord([]byte(strings.TrimSuffix(line, "\n")))
		if err != nil {
			continue // the checkpoint behind the records
		}
		switch {
		case r.Op == "freeze":
			frozen = true
		case r.Op == "thaw":
			frozen = false
		case frozen && r.Path == path && (r.Op == "use" || r.Op == "get") && r.Outcome == audit.Granted:
			granted++
		}
	}
	fmt.Fprintf(out, "\nThe exported log verifies. Uses granted between freeze and thaw: %d\n", granted)
	if granted != 0 {
		return errors.New("a use was granted while the path was frozen")
	}
	return nil
}

// once is one request of an agent with a token of its own.
func once(ctx context.Context, op *vault.Operator, name, url string) (string, error) {
	client, _, err := newClient(ctx, op, name)
	if err != nil {
		return "", err
	}
	defer client.CloseIdleConnections()
	return call(ctx, client, url)
}

func newClient(ctx context.Context, op *vault.Operator, name string) (*http.Client, vault.Claims, error) {
	s, err := op.Issue(ctx, vault.Grant{Agent: name, Scopes: scope.MustParse("secrets:use:production/search/*"), TTL: time.Hour})
	if err != nil {
		return nil, nil, err
	}
	a, err := agent.New(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	claims, err := s.Claims(ctx)
	return a.Client(path, "search"), claims, err
}

func call(ctx context.Context, client *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/search", nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return string(body), err
}
