// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/vault"
)

type (
	exportedHolder[T any]   struct{ Value T }
	unexportedHolder[T any] struct{ value T }
	nestedHolder[T any]     struct {
		inner *unexportedHolder[T]
		list  []unexportedHolder[T]
		byKey map[string]T
	}
	anyHolder struct {
		value any
		Value any
	}
	embeddingHolder struct{ vault.Item }
)

func holders[T any](x T) map[string]any {
	p := &x
	u := unexportedHolder[T]{x}
	return map[string]any{
		"alone": x, "pointer": p, "pointer to pointer": &p,
		"exported": exportedHolder[T]{x}, "to exported": &exportedHolder[T]{x},
		"unexported": u, "to unexported": &u,
		"slice": []T{x}, "array": [1]T{x}, "slice of pointers": []*T{p},
		"map": map[string]T{"k": x}, "map of structs": map[int]unexportedHolder[T]{1: u},
		"nested":    nestedHolder[T]{&u, []unexportedHolder[T]{u}, map[string]T{"k": x}},
		"to nested": &nestedHolder[T]{&u, []unexportedHolder[T]{u}, map[string]T{"k": x}},
		"in any":    anyHolder{x, x}, "pointers in any": &anyHolder{p, &u},
	}
}

// sweep sends every holder down every route and returns what leaked.
func sweep(c *canary, held map[string]any) (leaks []string, tried int) {
	for holder, v := range held {
		for _, r := range routes() {
			tried++
			if form := c.in(r.to(v)); form != "" {
				leaks = append(leaks, fmt.Sprintf("%s leaks in %s of %T (%s), %s", c.name, r.name, v, holder, form))
			}
		}
	}
	return leaks, tried
}

func TestFormatSecretAndToken(t *testing.T) {
	value, token := newCanary("value"), newCanary("token")
	held := map[*canary]map[string]any{value: holders(vault.NewSecret(value.text())), token: holders(vault.NewToken(token.text()))}
	item := vault.Item{Path: bedPath, Value: vault.NewSecret(value.text()), Metadata: map[string]string{"k": "v"}}
	for name, v := range holders(item) {
		held[value]["item "+name] = v
	}
	held[value]["item embedded"] = embeddingHolder{item}
	total := 0
	for c, h := range held {
		leaks, n := sweep(c, h)
		total += n
		for _, l := range leaks {
			t.Error(l)
		}
	}
	if total < 200 {
		t.Errorf("only %d ways", total)
	}
	t.Logf("%d ways", total)
}

// leaky redacts itself with String alone, as a first try would.
type leaky string

func (leaky) String() string { return "[redacted]" }

// TestFormatControl: the matrix finds a type that leaks, by many routes.
func TestFormatControl(t *testing.T) {
	c := newCanary("seeded bug")
	leaks, _ := sweep(c, holders(leaky(c.text())))
	byRoute := map[string]bool{}
	for _, l := range leaks {
		byRoute[l] = true
	}
	if len(byRoute) < 60 {
		t.Errorf("the seeded bug was found by %d ways only", len(byRoute))
	}
	for _, r := range routes() {
		if r.name != "%T" && r.name != "%p" && c.in(r.to(unexportedHolder[[]byte]{[]byte(c.core)}))+c.in(r.to(exportedHolder[string]{c.core}))+c.in(r.to(c.core)) == "" {
			t.Errorf("%s never shows anything, so it tests nothing", r.name)
		}
	}
}

// TestFormatDoors prints what holds a vault. None of it shows a token, a value or a key.
func TestFormatDoors(t *testing.T) {
	ctx := context.Background()
	value, pass := newCanary("value"), newCanary("passphrase")
	b := newBed(t)
	v, _ := b.open()
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, value.text())
	s := mustIssue(t, op, reader(5))
	wantValue(t, s, bedPath, value.text(), 1)
	wantValue(t, at(v, s), bedPath, value.text(), 1)
	_, cred, err := op.NewKey(ctx, vault.Key{Name: "remote", Operator: true, Expires: inAnHour()}, "")
	must(t, err)
	remote := v.Remote(cred, noAddr)
	wantValue(t, remote, bedPath, value.text(), 1)
	signer := canaryOf("signing key", "PRIVATE+KEY+keyward")
	found := []*canary{value, pass, signer, tokenCanary("token", s.Token()), tokenCanary("operator key", cred), canaryOf("root key", strings.Repeat("\x01", 32))}
	issued, err := s.Claims(ctx)
	must(t, err)
	must(t, v.Close()) // reflection takes no locks
	things := map[string]any{
		"session": s, "remote": remote, "operator": op, "vault": v, "log": v.Log(), "claims": issued,
		"config":     vault.Config{Store: b.store, Root: b.root},
		"passphrase": vault.Config{Store: b.store, Root: kms.Passphrase(vault.NewSecret(pass.text()))},
		"held":       nestedHolder[*vault.Session]{&unexportedHolder[*vault.Session]{s}, nil, map[string]*vault.Session{"k": s}},
		"grant":      reader(1), "store": b.store,
	}
	for name, thing := range things {
		for _, r := range routes() {
			text := r.to(thing)
			for _, c := range found {
				if form := c.in(text); form != "" {
					t.Errorf("%s leaks in %s of %s, %s", c.name, r.name, name, form)
				}
			}
		}
	}
}

// TestFormatWhileWorking prints doors while they are in use, as a debug line does. The race detector judges.
func TestFormatWhileWorking(t *testing.T) {
	v, _ := newBed(t).open()
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	s := mustIssue(t, op, reader(0))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				wantValue(t, s, bedPath, "value", 1)
			}
		}
	})
	for _, verb := range []string{"%+v", "%s"} {
		for _, thing := range []any{s, op, v, v.Log(), v.Session(s.Token(), noAddr)} {
			_ = fmt.Sprintf(verb, thing)
		}
	}
	close(stop)
	wg.Wait()
}

// tokenCanary is the part of a bearer that only its holder knows: its end, in the text and as bytes.
func tokenCanary(name string, tok vault.Token) *canary {
	text := tok.Reveal()
	return canaryOf(name, text[len(text)-36:])
}
