// SPDX-License-Identifier: Apache-2.0

package vaulttest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

const (
	search = "production/search/key"
	mail   = "production/mail/key"
)

func get(s *vault.Session, path string) (string, error) {
	it, err := s.Get(context.Background(), vault.Request{Path: path})
	return it.Value.Reveal(), err
}

func TestVault(t *testing.T) {
	v := vaulttest.Open(t, map[string]string{search: "tvly", mail: "smtp"})
	s := vaulttest.Session(t, v, "researcher", "secrets:read:production/search/*")
	vaulttest.Touched(t, v, "researcher")
	vaulttest.Refused(t, v, "researcher")
	if value, err := get(s, search); err != nil || value != "tvly" {
		t.Errorf("%q, %v", value, err)
	}
	if value, err := get(s, mail); !errors.Is(err, vault.ErrDenied) || value != "" {
		t.Errorf("%q, %v", value, err)
	}
	_, _ = get(s, search)
	vaulttest.Touched(t, v, "researcher", search)
	vaulttest.Refused(t, v, "researcher", mail)
	vaulttest.Touched(t, v, "somebody-else")
	below, err := s.Issue(context.Background(), vault.Grant{Agent: "researcher/helper"})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = get(below, search)
	vaulttest.Touched(t, v, "researcher/helper", search)
	vaulttest.Touched(t, v, "researcher", search)
	vaulttest.Touched(t, v, "research") // a name is not a prefix
}

func TestEmptyVault(t *testing.T) {
	v := vaulttest.Open(t, nil)
	s := vaulttest.Session(t, v, "a", "secrets:read:*", "secrets:write:*")
	if _, err := get(s, search); !errors.Is(err, vault.ErrNotFound) {
		t.Error(err)
	}
	if _, err := s.Put(context.Background(), vault.Item{Path: mail, Value: vault.NewSecret("x")}); err != nil {
		t.Error(err)
	}
	vaulttest.Touched(t, v, "a", mail)
	vaulttest.Refused(t, v, "a", search)
}

// fakeT takes down whether a test failed, and ends its goroutine at Fatal, as a test does.
type fakeT struct {
	testing.TB
	said    []string
	cleanup []func()
}

func (f *fakeT) Helper() {}
func (f *fakeT) Error(args ...any) {
	f.said = append(f.said, fmt.Sprint(args...))
}
func (f *fakeT) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}
func (f *fakeT) Fatal(args ...any) {
	f.Error(args...)
	runtime.Goexit()
}
func (f *fakeT) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}
func (f *fakeT) Cleanup(c func()) { f.cleanup = append(f.cleanup, c) }

// fails runs part of a test and returns what it complained of.
func fails(t *testing.T, part func(testing.TB)) []string {
	t.Helper()
	f := &fakeT{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		part(f)
	}()
	<-done
	for _, c := range f.cleanup {
		c()
	}
	return f.said
}

func TestFailsWhenItShould(t *testing.T) {
	v := vaulttest.Open(t, map[string]string{search: "tvly", mail: "smtp"})
	s := vaulttest.Session(t, v, "researcher", "secrets:read:production/search/*")
	_, _ = get(s, search)
	_, _ = get(s, mail)
	closed := vaulttest.Open(t, nil)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		part func(testing.TB)
		says string
	}{
		"touched too little":   {func(t testing.TB) { vaulttest.Touched(t, v, "researcher") }, search},
		"touched another":      {func(t testing.TB) { vaulttest.Touched(t, v, "researcher", mail) }, mail},
		"touched one too many": {func(t testing.TB) { vaulttest.Touched(t, v, "researcher", search, mail) }, mail},
		"touched by another":   {func(t testing.TB) { vaulttest.Touched(t, v, "writer", search) }, search},
		"refused too little":   {func(t testing.TB) { vaulttest.Refused(t, v, "researcher") }, mail},
		"refused another":      {func(t testing.TB) { vaulttest.Refused(t, v, "researcher", search) }, search},
		"bad path":             {func(t testing.TB) { vaulttest.Open(t, map[string]string{"no path": "x"}) }, "path"},
		"paths alike":          {func(t testing.TB) { vaulttest.Open(t, map[string]string{"a/b": "x", "A/b": "x"}) }, "case"},
		"bad scope":            {func(t testing.TB) { vaulttest.Session(t, v, "a", "read everything") }, "scope"},
		"no scope":             {func(t testing.TB) { vaulttest.Session(t, v, "a") }, "scope"},
		"bad agent":            {func(t testing.TB) { vaulttest.Session(t, v, "a b", "secrets:read:*") }, "agent"},
		"closed: session":      {func(t testing.TB) { vaulttest.Session(t, closed, "a", "secrets:read:*") }, "closed"},
		"closed: touched":      {func(t testing.TB) { vaulttest.Touched(t, closed, "a") }, "closed"},
		"closed: refused":      {func(t testing.TB) { vaulttest.Refused(t, closed, "a") }, "closed"},
	}
	for name, c := range cases {
		said := strings.Join(fails(t, c.part), "\n")
		if said == "" || !strings.Contains(said, c.says) {
			t.Errorf("%s: the test said %q", name, said)
		}
		if strings.Contains(said, "tvly") || strings.Contains(said, "smtp") {
			t.Errorf("%s: the test said a value: %q", name, said)
		}
	}
	// The control: what holds is not complained of.
	for _, part := range []func(testing.TB){
		func(t testing.TB) { vaulttest.Touched(t, v, "researcher", search) },
		func(t testing.TB) { vaulttest.Refused(t, v, "researcher", mail) },
		func(t testing.TB) { vaulttest.Open(t, map[string]string{"a": "b"}) },
	} {
		if said := fails(t, part); len(said) > 0 {
			t.Errorf("it complained: %q", said)
		}
	}
}

// TestBubble: 30 minutes pass in no time, and nothing is left running.
func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.Open(t, map[string]string{search: "tvly"})
		s, err := v.Operator("test").Issue(context.Background(), vault.Grant{
			Agent: "researcher", Scopes: scope.MustParse("secrets:read:*"), TTL: 30 * time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30*time.Minute - time.Second)
		if value, err := get(s, search); err != nil || value != "tvly" {
			t.Errorf("a second before its end: %q, %v", value, err)
		}
		time.Sleep(time.Second)
		if value, err := get(s, search); !errors.Is(err, vault.ErrDeadToken) || value != "" {
			t.Errorf("at its end: %q, %v", value, err)
		}
		vaulttest.Touched(t, v, "researcher", search)
		vaulttest.Refused(t, v, "researcher", search)
	})
}

// Example is a test of an agent. In a real one t is the test's own.
func Example() {
	TestAgent := func(t testing.TB) {
		v := vaulttest.Open(t, map[string]string{search: "tvly-test", mail: "smtp-test"})
		agent := vaulttest.Session(t, v, "researcher", "secrets:read:production/search/*")

		for _, path := range []string{search, mail} {
			_, err := agent.Get(context.Background(), vault.Request{Path: path, Reason: "search the web"})
			fmt.Println(path, err == nil)
		}

		vaulttest.Touched(t, v, "researcher", search)
		vaulttest.Refused(t, v, "researcher", mail)
	}
	t := &fakeT{}
	TestAgent(t)
	for _, c := range t.cleanup {
		c()
	}
	fmt.Println(len(t.said), "complaints")
	// Output:
	// production/search/key true
	// production/mail/key false
	// 0 complaints
}
