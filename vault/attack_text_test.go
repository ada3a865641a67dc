// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

var attackTexts = []string{
	"a\n" + `{"seq":7,"outcome":"granted","op":"get"}` + "\n", `","outcome":"granted","x":"`, "\r", "\r\n", "\n", "\x00", "\x1b[2J\x1b[0;0H", "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
	"\a", "\b\b\b", "\x7f", "\u0085", "\u009b2J", "\u2028", "\u2029", "\u202eevil", "\u2066x\u2069", "\u200b\u200d\ufeff\u061c", "\ufffd", "\\u000a", `\`, `"`, "<script>", "%0a", "\U0001f511\u00e9", strings.Repeat("\n", 21),
}

// attackNotText is not UTF-8, and refused.
var attackNotText = []string{"\xff", "\xc0\xae", "a\xe2\x82", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80", strings.Repeat("\x80", 40)}

// TestAttackText: whatever a caller writes stands in one line, escaped, and cannot make another.
func TestAttackText(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	s := a.issue(vault.Grant{})
	var tries []try
	for _, text := range attackTexts {
		meta := map[string]string{"k" + text: text, text: "v"}
		r := vault.Request{Path: attackPath, Reason: text, Call: text, Metadata: meta}
		denied := r
		denied.Path = "not/there"
		tries = append(tries,
			allow(text, "get", func() error { _, err := s.Get(ctx, r); return err }),
			deny(text, "get", vault.ErrNotFound, "not_found", func() error { _, err := s.Get(ctx, denied); return err }),
			allow(text, "use", func() error { return s.Use(ctx, r, func(vault.Item) error { return nil }) }),
			allow(text, "put", func() error {
				_, err := s.Put(ctx, vault.Item{Path: "text/x", Reason: text, Metadata: meta})
				return err
			}),
			allow(text, "policy", func() error { return a.op.SetPolicy(ctx, attackOther, vault.Policy{}, text) }),
			allow(text, "freeze", func() error { return a.op.Freeze(ctx, vault.Frozen{Kind: "user", Value: "u"}, text) }),
			allow(text, "thaw", func() error { return a.op.Thaw(ctx, vault.Frozen{Kind: "user", Value: "u"}, text) }),
			allow(text, "revoke", func() error { return a.op.Revoke(ctx, "00000000000000000000000000000000", text) }),
			allow(text, "issue", func() error {
				_, err := a.op.Issue(ctx, vault.Grant{Agent: "a", Scopes: scope.MustParse("secrets:*:*"), TTL: time.Minute, Description: text})
				return err
			}),
			allow(text, "key", func() error {
				_, _, err := a.op.NewKey(ctx, vault.Key{Name: "k", Limits: vault.Grant{Scopes: scope.MustParse("secrets:*:*"), Description: text}, Expires: a.clock.now().Add(time.Hour)}, text)
				return err
			}),
		)
	}
	first := a.size()
	a.run(tries...)
	lines, err := a.store.Lines(ctx, first, len(tries)+1)
	if err != nil || len(lines) != len(tries) {
		t.Fatalf("%d lines of %d tries: %v", len(lines), len(tries), err)
	}
	for i, line := range lines {
		text := attackTexts[i/10]
		if !utf8.Valid(line) || !json.Valid(line) || !bytes.HasPrefix(line, fmt.Appendf(nil, `{"seq":%d,`, first+int64(i))) || len(line) > 16<<10 {
			t.Errorf("line of %q: %q", text, line)
		}
		for _, c := range string(line) {
			if c < 0x20 || c >= 0x7f && c <= 0x9f || strings.ContainsRune("\u061c\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff", c) {
				t.Errorf("line of %q shows U+%04X: %s", text, c, line)
			}
		}
		r, err := audit.ParseRecord(line)
		if err != nil {
			t.Errorf("line of %q: %v", text, err)
			continue
		}
		switch r.Op {
		case "get", "use":
			if r.Call != text || r.Metadata[text] != "v" {
				t.Errorf("record of %q: call %q, metadata %q", text, r.Call, r.Metadata)
			}
			fallthrough
		case "put", "policy", "freeze", "thaw", "revoke":
			if r.Reason != text {
				t.Errorf("record of %q: reason %q", text, r.Reason)
			}
		default:
			if !strings.Contains(r.Detail, "description") {
				t.Errorf("%s of %q shows no description: %s", r.Op, text, r.Detail)
			}
		}
	}
	var export bytes.Buffer
	if err := a.v.Log().Export(ctx, &export); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Verify(bytes.NewReader(export.Bytes()), a.v.Log().Key()); err != nil {
		t.Error(err)
	}
	if err := a.v.Log().Verify(ctx); err != nil {
		t.Error(err)
	}
	if bytes.Contains(export.Bytes(), []byte("\x1b")) || bytes.Contains(export.Bytes(), []byte("\r")) {
		t.Error("the export holds control characters")
	}
	// What one process shows of an item, another must show as well.
	t.Run("the same in a process that begins now", func(t *testing.T) {
		here, err1 := a.op.Versions(ctx, vault.Request{Path: "text/x"})
		there, err2 := a.open(vault.Config{}).Operator("o").Versions(ctx, vault.Request{Path: "text/x"})
		if err1 != nil || err2 != nil || len(here) != len(there) {
			t.Fatal(err1, err2)
		}
		for i := range here {
			if h, r := fmt.Sprintf("%q %q", here[i].Reason, here[i].Metadata), fmt.Sprintf("%q %q", there[i].Reason, there[i].Metadata); h != r {
				t.Errorf("here %s, there %s", h, r)
			}
		}
	})
}

// TestAttackTextLimits: text at the limit is recorded, text above it is refused and nothing of it recorded.
func TestAttackTextLimits(t *testing.T) {
	a := attack(t)
	ctx := context.Background()
	s := a.issue(vault.Grant{})
	get := func(change func(r *vault.Request)) func() error {
		return func() error {
			r := vault.Request{Path: attackPath}
			change(&r)
			_, err := s.Get(ctx, r)
			return err
		}
	}
	var tries []try
	limit := func(name string, most int, per int, unit string, set func(r *vault.Request, s string)) {
		at := strings.Repeat(unit, most/per)
		at += strings.Repeat("x", most-per*(most/per))
		tries = append(tries,
			allow(name+" at its limit", "get", get(func(r *vault.Request) { set(r, at) })),
			deny(name+" one above", "get", vault.ErrInvalid, "invalid", get(func(r *vault.Request) { set(r, at+"x") })),
			deny(name+" far above", "get", vault.ErrInvalid, "invalid", get(func(r *vault.Request) { set(r, strings.Repeat(attackMark, 1<<17)) })),
		)
	}
	for _, u := range []struct {
		unit string
		per  int // bytes in a record
	}{{"x", 1}, {"\n", 6}, {"\\", 6}, {"\"", 6}, {"\x00", 6}, {"\u202e", 6}, {"\u00e9", 2}, {"\U0001f511", 4}} {
		limit(fmt.Sprintf("reason of %q", u.unit), 1<<10, u.per, u.unit, func(r *vault.Request, s string) { r.Reason = s })
		limit(fmt.Sprintf("call of %q", u.unit), 128, u.per, u.unit, func(r *vault.Request, s string) { r.Call = s })
		limit(fmt.Sprintf("metadata of %q", u.unit), 4<<10-len(`"k":"",`), u.per, u.unit, func(r *vault.Request, s string) { r.Metadata = map[string]string{"k": s} })
		limit(fmt.Sprintf("metadata key of %q", u.unit), 4<<10-len(`"":"v",`), u.per, u.unit, func(r *vault.Request, s string) { r.Metadata = map[string]string{s: "v"} })
	}
	keys := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprint(attackMark, i)] = ""
		}
		return m
	}
	tries = append(tries,
		allow("32 keys", "get", get(func(r *vault.Request) { r.Metadata = keys(32) })), deny("33 keys", "get", vault.ErrInvalid, "invalid", get(func(r *vault.Request) { r.Metadata = keys(33) })),
		allow("all at once", "get", get(func(r *vault.Request) {
			r.Reason, r.Call, r.Metadata = strings.Repeat("\n", 170), strings.Repeat("\n", 21), map[string]string{strings.Repeat("\x00", 340): strings.Repeat("\u2028", 340)}
		})),
	)
	for _, text := range attackNotText {
		for name, change := range map[string]func(r *vault.Request){
			"reason": func(r *vault.Request) { r.Reason = text }, "call": func(r *vault.Request) { r.Call = text },
			"metadata": func(r *vault.Request) { r.Metadata = map[string]string{"k": text} }, "metadata key": func(r *vault.Request) { r.Metadata = map[string]string{text: "v"} },
		} {
			tries = append(tries, deny(name+" that is not UTF-8", "get", vault.ErrInvalid, "invalid", get(change)))
		}
		tries = append(tries, deny("description that is not UTF-8", "issue", vault.ErrInvalid, "invalid", func() error {
			_, err := s.Issue(ctx, vault.Grant{Description: text})
			return err
		}), deny("reason that is not UTF-8", "freeze", vault.ErrInvalid, "invalid", func() error {
			return a.op.Freeze(ctx, vault.Frozen{Kind: "user", Value: "u"}, text)
		}))
	}
	for name, do := range map[string]func() error{
		"policy": func() error { return a.op.SetPolicy(ctx, attackPath, vault.Policy{}, strings.Repeat("x", 1025)) },
		"freeze": func() error {
			return a.op.Freeze(ctx, vault.Frozen{Kind: "user", Value: "u"}, strings.Repeat("x", 1025))
		},
		"thaw":   func() error { return a.op.Thaw(ctx, vault.Frozen{Kind: "user", Value: "u"}, strings.Repeat("x", 1025)) },
		"revoke": func() error { return a.op.Revoke(ctx, strings.Repeat("0", 32), strings.Repeat("x", 1025)) },
		"put":    a.putting(s, vault.Item{Path: attackPath, Metadata: keys(33)}),
		"key": func() error {
			_, _, err := a.op.NewKey(ctx, vault.Key{Name: "k", Limits: vault.Grant{Scopes: scope.MustParse("secrets:*:*")}, Expires: a.clock.now().Add(time.Hour)}, strings.Repeat("x", 1025))
			return err
		},
	} {
		tries = append(tries, deny(name+" above", name, vault.ErrInvalid, "invalid", do))
	}
	first := a.size()
	a.run(tries...)
	for _, r := range a.records(audit.Filter{Since: first, Outcome: audit.Denied}, 0) {
		if len(r.String()) > 400 || r.Reason != "" || r.Call != "" || r.Metadata != nil {
			t.Errorf("what is above a limit is recorded: %.200s", r)
		}
	}
	if err := a.v.Log().Verify(ctx); err != nil {
		t.Error(err)
	}
	t.Logf("%d cases", len(tries))
}
