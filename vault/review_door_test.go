// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// byteRuns are the lengths of all runs of bytes and texts that a deep printer reaches from a value.
func byteRuns(v reflect.Value, seen map[uintptr]bool) (out []int) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return nil
		}
		seen[v.Pointer()] = true
		return byteRuns(v.Elem(), seen)
	case reflect.Interface:
		return byteRuns(v.Elem(), seen)
	case reflect.String:
		return []int{v.Len()}
	case reflect.Struct:
		for i := range v.NumField() {
			out = append(out, byteRuns(v.Field(i), seen)...)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			out = append(append(out, byteRuns(k, seen)...), byteRuns(v.MapIndex(k), seen)...)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return []int{v.Len()}
		}
		for i := range v.Len() {
			out = append(out, byteRuns(v.Index(i), seen)...)
		}
	}
	return out
}

func longRuns(v any) (n int) {
	for _, length := range byteRuns(reflect.ValueOf(v), map[uintptr]bool{}) {
		if length >= 16 {
			n++
		}
	}
	return n
}

// TestReviewIssuerPrinted: no printer finds a key in the issuer that Config.Issuer is given: only the 16 bytes of the
// vault's id.
func TestReviewIssuerPrinted(t *testing.T) {
	var issuer vault.TokenIssuer
	newBed(t).open(func(c *vault.Config) {
		c.Issuer = func(i vault.TokenIssuer) vault.TokenIssuer { issuer = i; return i }
	})
	if n := longRuns(issuer); n != 1 {
		t.Errorf("%d runs of 16 bytes or more, want the id alone", n)
	}
	type hides struct{ inner *map[string]any }
	if n := longRuns(hides{&map[string]any{"k": struct{ key []byte }{make([]byte, 32)}}}); n != 1 {
		t.Errorf("the control is not found: %d", n)
	}
	key := regexp.MustCompile(`([0-9a-fA-Fx]{1,4}[,\s]+){24}|[0-9a-fA-F]{64}`)
	for _, r := range routes() {
		if found := key.FindString(r.to(issuer)); found != "" && !strings.Contains(r.name, "testify") {
			t.Errorf("%s shows %q", r.name, found)
		}
	}
}

func TestReviewClock(t *testing.T) {
	good := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for name, bad := range map[string]time.Time{
		"year 10000": time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		"year 0":     time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
		"negative":   time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC),
		"zero":       {},
		"1970":       time.Unix(0, 0),
		"far":        time.Unix(1<<55, 0),
	} {
		t.Run(name, func(t *testing.T) {
			var now atomic.Pointer[time.Time]
			now.Store(&good)
			clock := func(c *vault.Config) { c.Now = func() time.Time { return *now.Load() } }
			b := newBed(t)
			v, _ := b.open(clock)
			op := v.Operator("keeper")
			mustPut(t, op, bedPath, "value")
			s := mustIssue(t, op, reader(0))
			now.Store(&bad)
			for range 2 {
				wantRefused(t, op, bedPath, vault.ErrClock)
				wantRefused(t, s, bedPath, vault.ErrClock)
			}
			must(t, op.Revoke(t.Context(), linkOf(t, s), ""))
			late, _ := b.open(clock) // with a clock that is set while it runs
			wantRefused(t, late.Operator("keeper"), bedPath, vault.ErrClock)
			now.Store(&good)
			_, _, err := getPath(late.Operator("keeper"), bedPath)
			if err != nil && !errors.Is(err, vault.ErrClock) {
				t.Errorf("Get under a clock that was set right: %v", err)
			}
			again, _ := b.open(clock)
			wantValue(t, again.Operator("keeper"), bedPath, "value", 1)
			wantRefused(t, at(again, s), bedPath, vault.ErrDeadToken)
			wantValue(t, op, bedPath, "value", 1)
			verifies(t, again)

			now.Store(&bad)
			empty := memory.New()
			cfg := vault.Config{Store: &tap{Store: empty}, Root: b.root}
			clock(&cfg)
			if _, err := vault.Open(t.Context(), cfg); !errors.Is(err, vault.ErrClock) {
				t.Errorf("a new vault: %v", err)
			}
			wantEmpty(t, empty)
		})
	}
}

// TestReviewNetworksKept: a caller that has given up may use its slice again while the commit still reads the grant.
func TestReviewNetworksKept(t *testing.T) {
	for name, give := range map[string]func(*vault.Operator, []netip.Prefix) error{
		"issue": func(op *vault.Operator, nets []netip.Prefix) error {
			g := reader(0)
			g.Networks = nets
			_, err := op.Issue(gone(), g)
			return err
		},
		"spawn": func(op *vault.Operator, nets []netip.Prefix) error {
			g := reader(0)
			g.Networks = nets
			return op.Spawn(gone(), g, func(context.Context, *vault.Session) error { return nil })
		},
		"key": func(op *vault.Operator, nets []netip.Prefix) error {
			_, _, err := op.NewKey(gone(), vault.Key{Name: "worker", Expires: inAnHour(), Limits: vault.Grant{Scopes: reader(0).Scopes, Networks: nets}}, "")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			v, p := newBed(t).open()
			entered, release := held(p, false, nil)
			nets := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
			if err := give(v.Operator("keeper"), nets); !errors.Is(err, context.Canceled) {
				t.Errorf("it gave %v", err)
			}
			<-entered
			nets[0] = netip.Prefix{} // which no grant may have
			release()
			nets[0] = netip.MustParsePrefix("0.0.0.0/0") // a race, if the commit reads it
			verifies(t, v)
			if n := len(logOf(t, v, audit.Filter{Outcome: audit.Granted})); n < 2 {
				t.Errorf("%d grants: the grant was not decided as it was given", n)
			}
		})
	}
}

// TestReviewCaseTwin: a put that fails anyway does not tell whether a path outside the scope exists.
func TestReviewCaseTwin(t *testing.T) {
	var texts []string
	for _, twin := range []bool{false, true} {
		v, _ := newBed(t).open()
		op := v.Operator("keeper")
		if twin {
			mustPut(t, op, bedPath, "value")
		}
		s := mustIssue(t, op, vault.Grant{Agent: "a", Scopes: scope.MustParse("secrets:write:Production/*")})
		_, err := s.Put(t.Context(), vault.Item{Path: "Production/search/key", Value: vault.NewSecret("x"), Version: 99})
		if !errors.Is(err, vault.ErrConflict) {
			t.Fatalf("Put: %v", err)
		}
		texts = append(texts, err.Error())
	}
	if texts[0] != texts[1] {
		t.Errorf("the texts differ: %q", texts)
	}
}
