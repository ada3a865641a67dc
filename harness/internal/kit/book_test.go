// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// script runs Work.Script on a new vault in memory and returns what it acknowledged.
func script(t *testing.T) (*vault.Vault, []Ack) {
	t.Helper()
	v, err := OpenVault(t.Context(), stores["memory"], t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	var acks []Ack
	w := &Work{Name: "t", V: v, Tell: func(a Ack) { acks = append(acks, a) }}
	w.Script(t.Context(), 30)
	if len(acks) != 32 {
		t.Fatalf("%d acknowledgements of 30 calls, a Backup and a Delete", len(acks))
	}
	for _, a := range acks {
		if want := a.Op == "get" && a.Outcome == Refused; a.Outcome != Granted && !want {
			t.Errorf("%s: %s", a.Op, a.Text)
		}
	}
	return v, acks
}

// The book is content with what happened, twice, and with nothing else.
func TestBook(t *testing.T) {
	v, truth := script(t)
	_, elsewhere := script(t)
	first := func(op string, o Outcome) int {
		i := slices.IndexFunc(truth, func(a Ack) bool { return a.Op == op && a.Outcome == o })
		if i < 0 {
			t.Fatalf("the script has no %s that was %q", op, o)
		}
		return i
	}
	for _, c := range []struct {
		lie  string
		tell func(acks []Ack) []Ack
		want string // part of the violation; empty: none
	}{
		{"none", func(a []Ack) []Ack { return a }, ""},
		{"a put that is not in the log", func(a []Ack) []Ack { return append(a, Ack{Op: "put", ID: "t-99", Path: "a", Version: 1}) }, "acknowledged and lost"},
		{"a refusal that is not in the log", func(a []Ack) []Ack { return append(a, Ack{Op: "get", ID: "t-99", Outcome: Refused}) }, "acknowledged and lost"},
		{"a refusal as an unknown caller that is not in the log", func(a []Ack) []Ack {
			i := first("get", Refused)
			return append(a, Ack{Op: "get", ID: "t-98", Path: a[i].Path, Outcome: Refused}, Ack{Op: "get", ID: "t-99", Path: a[i].Path, Outcome: Refused})
		}, "acknowledged and lost"},
		{"a value without a record", func(a []Ack) []Ack { return append(a, Ack{Op: "get", ID: "t-99", Path: "a", Value: "v"}) }, "without a record"},
		{"a value with an error", func(a []Ack) []Ack { return append(a, Ack{Op: "get", ID: "t-99", Value: "v", Outcome: NotRecorded}) }, "a value and the error"},
		{"granted, recorded as denied", func(a []Ack) []Ack { a[first("get", Refused)].Outcome = Granted; return a }, "does not say"},
		{"denied, recorded as granted", func(a []Ack) []Ack {
			i := first("get", Granted)
			a[i].Outcome, a[i].Value = Refused, ""
			return a
		}, "does not say"},
		{"a rotation that is not in the log", func(a []Ack) []Ack { return append(a, Ack{Op: "rotate", ID: "t-99"}) }, "acknowledged and lost"},
		{"another version destroyed", func(a []Ack) []Ack { a[first("destroy", Granted)].Version = 2; return a }, "does not say"},
		{"another version", func(a []Ack) []Ack { a[first("put", Granted)].Version = 7; return a }, "does not say"},
		{"another path", func(a []Ack) []Ack { a[first("put", Granted)].Path = "a"; return a }, "does not say"},
		{"two values of one version", func(a []Ack) []Ack { a[first("get", Granted)].Value = "other"; return a }, "was"},
		{"a put of another value", func(a []Ack) []Ack {
			return slices.DeleteFunc(a, func(a Ack) bool { return a.Op == "get" || a.Op == "use" || a.Op == "put" && a.Version < 5 })
		}, ""},
		{"the stored value is another", func(a []Ack) []Ack {
			a = slices.DeleteFunc(a, func(a Ack) bool { return a.Op == "get" || a.Op == "use" })
			for i := range a {
				if a[i].Op == "put" {
					a[i].Value = "other"
				}
			}
			return a
		}, "which was acknowledged"},
		{"the checkpoint of another log", func(a []Ack) []Ack { return append(a, elsewhere[first(OpCheckpoint, Granted)]) }, "does not verify"},
		{"the token of another vault", func(a []Ack) []Ack { a[first("issue", Granted)].Bearer = elsewhere[0].Bearer; return a }, ""}, // used up: dead either way
	} {
		t.Run(c.lie, func(t *testing.T) {
			b := NewBook()
			err := b.Add(c.tell(slices.Clone(truth)))
			if err == nil {
				err = b.Check(t.Context(), v)
			}
			if err == nil {
				err = b.Check(t.Context(), v)
			}
			violates(t, err, c.want)
		})
	}
}

func violates(t *testing.T, err error, want string) {
	t.Helper()
	var broken *Violation
	switch {
	case want == "" && err != nil:
		t.Error(err)
	case want != "" && (!errors.As(err, &broken) || !strings.Contains(err.Error(), want)):
		t.Errorf("found %v, want %q", err, want)
	}
}

// A version that is still there after Destroy is found by asking for it.
func TestBookDestroyed(t *testing.T) {
	v, truth := script(t)
	i := slices.IndexFunc(truth, func(a Ack) bool { return a.Op == "put" && a.Version == 6 }) // the newest
	b := NewBook()
	b.fresh = []Ack{{Op: "destroy", Path: truth[i].Path, Version: 6}}
	violates(t, b.probe(t.Context(), v), "which was destroyed")
}

// Records that keyward never writes.
func TestBookCounts(t *testing.T) {
	issue := func(id, detail string) audit.Record {
		return audit.Record{Op: "issue", Outcome: audit.Granted, Target: id, Detail: detail}
	}
	get := func(token string, uses ...int) audit.Record {
		return audit.Record{Op: "get", Outcome: audit.Granted, Token: token, Uses: uses}
	}
	rotate := func(detail string) audit.Record {
		return audit.Record{Op: "rotate", Outcome: audit.Granted, Detail: detail}
	}
	revoke := audit.Record{Op: "revoke", Outcome: audit.Granted, Target: "a"}
	for _, c := range []struct {
		why     string
		records []audit.Record
		want    string
	}{
		{"two of two", []audit.Record{issue("a", `{"uses":2}`), get("a", 1), get("a", 2)}, ""},
		{"not counted", []audit.Record{issue("a", `{}`), get("a", 0), get("a", 0)}, ""},
		{"one too many", []audit.Record{issue("a", `{"uses":1}`), get("a", 1), get("a", 2)}, "use 2 of a"},
		{"the same twice", []audit.Record{issue("a", `{"uses":2}`), get("a", 1), get("a", 1)}, "use 1 of a, want 2"},
		{"one left out", []audit.Record{issue("a", `{"uses":2}`), get("a", 2)}, "use 2 of a, want 1"},
		{"without its number", []audit.Record{issue("a", `{"uses":2}`), get("a")}, "without the number"},
		{"a list, which is no use", []audit.Record{issue("a", `{"uses":1}`), {Op: "list", Outcome: audit.Granted, Token: "a"}, get("a", 1)}, ""},
		{"by a child without its number", []audit.Record{issue("a", `{}`), issue("a.b", `{"uses":1}`), get("a.b", 0)}, "without the number"},
		{"by a child", []audit.Record{issue("a", `{"uses":1}`), issue("a.b", `{}`), get("a.b", 1, 0), get("a", 2)}, "use 2 of a"},
		{"revoked", []audit.Record{issue("a", `{}`), get("a", 0), revoke, get("a", 0)}, "was revoked"},
		{"revoked above", []audit.Record{issue("a", `{}`), issue("a.b", `{}`), revoke, get("a.b", 0, 0)}, "was revoked"},
		{"after a compromised rotation", []audit.Record{issue("a", `{}`), rotate(`{"step":"begin","compromised":true}`), get("a", 0)}, "was revoked"},
		{"issued after it", []audit.Record{rotate(`{"step":"begin","compromised":true}`), issue("a", `{}`), get("a", 0)}, ""},
		{"after a rotation", []audit.Record{issue("a", `{}`), rotate(`{"step":"begin"}`), get("a", 0)}, ""},
		{"revoked twice", []audit.Record{issue("a", `{}`), revoke, revoke}, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			b := NewBook()
			var err error
			for _, r := range c.records {
				if err == nil {
					err = b.record(r)
				}
			}
			violates(t, err, c.want)
		})
	}
}
