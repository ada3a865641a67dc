// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// jsonIssuer is what a user might write: claims as JSON, and an HMAC.
type jsonIssuer struct{ key []byte }

func (i jsonIssuer) tag(body string) string {
	h := hmac.New(sha256.New, i.key)
	h.Write([]byte(body))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (i jsonIssuer) Issue(_ context.Context, c vault.Claims) (vault.Token, error) {
	b, err := json.Marshal(c)
	body := base64.RawURLEncoding.EncodeToString(b)
	return vault.NewToken("mine_" + body + "." + i.tag(body)), err
}

func (i jsonIssuer) Verify(_ context.Context, t vault.Token) (c vault.Claims, err error) {
	body, tag, _ := strings.Cut(strings.TrimPrefix(t.Reveal(), "mine_"), ".")
	if !hmac.Equal([]byte(tag), []byte(i.tag(body))) {
		return nil, errors.New("not mine")
	}
	b, err := base64.RawURLEncoding.DecodeString(body)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	return c, err
}

func withIssuer(t *testing.T, f func(vault.TokenIssuer) vault.TokenIssuer) (*vault.Vault, *vault.Operator) {
	t.Helper()
	v, _ := newBed(t).open(func(c *vault.Config) { c.Issuer = f })
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	return v, op
}

func TestIssuerOfOnesOwn(t *testing.T) {
	ctx := context.Background()
	mine := jsonIssuer{[]byte("a key of the user's own")}
	v, op := withIssuer(t, func(vault.TokenIssuer) vault.TokenIssuer { return mine })
	s := mustIssue(t, op, reader(3))
	if !strings.HasPrefix(s.Token().Reveal(), "mine_") {
		t.Error("the token is not of the user's issuer")
	}
	wantValue(t, s, bedPath, "value", 1)
	wantValue(t, v.Session(s.Token(), noAddr), bedPath, "value", 1)
	if _, err := s.Token().Narrow(vault.Grant{MaxUses: 1}); !errors.Is(err, vault.ErrInvalid) {
		t.Errorf("Narrow of a token of another form: %v", err)
	}
	child := mustIssue(t, s, vault.Grant{Agent: "researcher/child", Scopes: scope.MustParse("secrets:read:production/*")})
	wantValue(t, child, bedPath, "value", 1)
	wantRefused(t, child, bedPath, vault.ErrDeadToken) // used up
	other := mustIssue(t, op, reader(0))
	must(t, op.Revoke(ctx, linkOf(t, other), ""))
	wantRefused(t, other, bedPath, vault.ErrDeadToken)
	err := op.Spawn(ctx, reader(0), func(_ context.Context, c *vault.Session) error {
		wantValue(t, c, bedPath, "value", 1)
		other = c
		return nil
	})
	must(t, err)
	wantRefused(t, other, bedPath, vault.ErrDeadToken)
	forged := jsonIssuer{[]byte("another key")}
	c, err := s.Claims(ctx)
	must(t, err)
	tok, err := forged.Issue(ctx, c)
	must(t, err)
	wantRefused(t, v.Session(tok, noAddr), bedPath, vault.ErrDeadToken)
	wantLast(t, v, audit.Filter{Op: "get"}, audit.Denied, "bad_token")
	verifies(t, v)
}

// middleware changes what an issuer answers.
type middleware struct {
	vault.TokenIssuer
	issue  func(vault.Token, error) (vault.Token, error)
	verify func(vault.Claims, error) (vault.Claims, error)
}

func (m *middleware) Issue(ctx context.Context, c vault.Claims) (vault.Token, error) {
	t, err := m.TokenIssuer.Issue(ctx, c)
	if m.issue != nil {
		t, err = m.issue(t, err)
	}
	if len(c) > 0 {
		c[0] = vault.Link{} // the claims are a copy
	}
	return t, err
}

func (m *middleware) Verify(ctx context.Context, t vault.Token) (vault.Claims, error) {
	c, err := m.TokenIssuer.Verify(ctx, t)
	if m.verify != nil {
		return m.verify(c, err)
	}
	return c, err
}

// TestIssuerBad: claims that keyward could not have made are refused, whatever issuer answers them.
func TestIssuerBad(t *testing.T) {
	link := func(f func(*vault.Link)) func(vault.Claims, error) (vault.Claims, error) {
		return func(c vault.Claims, err error) (vault.Claims, error) {
			if err == nil {
				f(&c[0])
			}
			return c, err
		}
	}
	cases := map[string]func(vault.Claims, error) (vault.Claims, error){
		"error":            func(vault.Claims, error) (vault.Claims, error) { return nil, errors.New("no") },
		"claims and error": func(c vault.Claims, _ error) (vault.Claims, error) { return c, errors.New("no") },
		"panic":            func(vault.Claims, error) (vault.Claims, error) { panic("issuer") },
		"no claims":        func(vault.Claims, error) (vault.Claims, error) { return nil, nil },
		"nine links": func(c vault.Claims, err error) (vault.Claims, error) {
			for len(c) < 9 {
				l := c[len(c)-1]
				l.ID += "." + strings.Repeat("0", 32)
				l.Grant = vault.Grant{Description: "x"}
				c = append(c, l)
			}
			return c, err
		},
		"no agent":          link(func(l *vault.Link) { l.Grant.Agent = "" }),
		"bad agent":         link(func(l *vault.Link) { l.Grant.Agent = "a b" }),
		"no scopes":         link(func(l *vault.Link) { l.Grant.Scopes = scope.Set{} }),
		"immortal":          link(func(l *vault.Link) { l.Expires = time.Time{} }),
		"never issued":      link(func(l *vault.Link) { l.Issued = time.Time{} }),
		"too long a life":   link(func(l *vault.Link) { l.Issued = l.Issued.AddDate(-1, 0, 0) }), // MaxTTL holds at use too
		"ends before":       link(func(l *vault.Link) { l.Expires = l.Issued }),
		"local time":        link(func(l *vault.Link) { l.Expires = l.Expires.In(time.FixedZone("x", 3600)) }),
		"nanoseconds":       link(func(l *vault.Link) { l.Expires = l.Expires.Add(1) }),
		"id empty":          link(func(l *vault.Link) { l.ID = "" }),
		"id short":          link(func(l *vault.Link) { l.ID = l.ID[1:] }),
		"id upper case":     link(func(l *vault.Link) { l.ID = "A" + l.ID[1:] }),
		"id of a path":      link(func(l *vault.Link) { l.ID = strings.Repeat("../", 10) + "xx" }),
		"id of a key":       link(func(l *vault.Link) { l.ID = "key:" + l.ID }),
		"negative uses":     link(func(l *vault.Link) { l.Grant.MaxUses = -1 }),
		"a TTL":             link(func(l *vault.Link) { l.Grant.TTL = time.Hour }),
		"another opening":   link(func(l *vault.Link) { l.Opening = strings.Repeat("0", 32) }),
		"malformed opening": link(func(l *vault.Link) { l.Opening = "x" }),
		"expired":           link(func(l *vault.Link) { l.Issued, l.Expires = l.Issued.Add(-time.Hour), l.Issued.Add(-time.Minute) }),
		"issued tomorrow":   link(func(l *vault.Link) { l.Issued, l.Expires = l.Issued.Add(24*time.Hour), l.Expires.Add(24*time.Hour) }),
		"a child that is not below": func(c vault.Claims, err error) (vault.Claims, error) {
			l := c[0]
			l.ID = strings.Repeat("0", 32) + "." + strings.Repeat("1", 32)
			return append(c, l), err
		},
		"a child that renames": func(c vault.Claims, err error) (vault.Claims, error) {
			return append(c, vault.Link{ID: c[0].ID + "." + strings.Repeat("1", 32), Grant: vault.Grant{Agent: "admin"}}), err
		},
		"a child that narrows nothing": func(c vault.Claims, err error) (vault.Claims, error) {
			return append(c, vault.Link{ID: c[0].ID + "." + strings.Repeat("1", 32)}), err
		},
		"two keys": func(c vault.Claims, err error) (vault.Claims, error) {
			c[0].ID = "key:" + c[0].ID
			return append(c, c[0]), err
		},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			var m *middleware
			v, op := withIssuer(t, func(b vault.TokenIssuer) vault.TokenIssuer { m = &middleware{TokenIssuer: b}; return m })
			tok := mustIssue(t, op, reader(2)).Token()
			wantValue(t, v.Session(tok, noAddr), bedPath, "value", 1) // the control
			m.verify = f
			s := v.Session(tok, noAddr)
			wantRefused(t, s, bedPath, vault.ErrDeadToken)
			m.verify = nil
			if name != "too long a life" && name != "expired" && name != "issued tomorrow" && name != "another opening" {
				wantLast(t, v, audit.Filter{Op: "get"}, audit.Denied, "bad_token")
			}
			wantUses(t, op, mustSession(v, tok), 1)
		})
	}
}

func mustSession(v *vault.Vault, tok vault.Token) *vault.Session { return v.Session(tok, noAddr) }

// TestIssuerOtherClaims: state is held against the claims that are answered. A dead token's claims do not come to life under
// another bearer.
func TestIssuerOtherClaims(t *testing.T) {
	ctx := context.Background()
	var m *middleware
	v, op := withIssuer(t, func(b vault.TokenIssuer) vault.TokenIssuer { m = &middleware{TokenIssuer: b}; return m })
	good, revoked := mustIssue(t, op, reader(0)), mustIssue(t, op, reader(1))
	dead, err := revoked.Claims(ctx)
	must(t, err)
	must(t, op.Revoke(ctx, linkOf(t, revoked), ""))
	m.verify = func(vault.Claims, error) (vault.Claims, error) { return dead, nil }
	wantRefused(t, at(v, good), bedPath, vault.ErrDeadToken)
	wantLast(t, v, audit.Filter{Op: "get"}, audit.Denied, "revoked")
}

func TestIssuerCannotIssue(t *testing.T) {
	ctx := context.Background()
	var m *middleware
	v, op := withIssuer(t, func(b vault.TokenIssuer) vault.TokenIssuer { m = &middleware{TokenIssuer: b}; return m })
	for name, f := range map[string]func(vault.Token, error) (vault.Token, error){
		"error":           func(vault.Token, error) (vault.Token, error) { return vault.Token{}, errDevice },
		"token and error": func(tok vault.Token, _ error) (vault.Token, error) { return tok, errDevice },
		"panic":           func(vault.Token, error) (vault.Token, error) { panic("issuer") },
	} {
		m.issue = f
		if s, err := op.Issue(ctx, reader(0)); err == nil || s != nil {
			t.Errorf("%s: Issue gave %v, %v", name, s, err)
		}
		ran := false
		err := op.Spawn(ctx, reader(0), func(context.Context, *vault.Session) error { ran = true; return nil })
		if err == nil || ran {
			t.Errorf("%s: Spawn: %v, ran %v", name, err, ran)
		}
		wantLast(t, v, audit.Filter{Op: "issue"}, audit.Failed, "error")
	}
	m.issue = nil
	if states, err := op.Tokens(ctx); err != nil || len(states) != 0 {
		t.Errorf("tokens of issues that failed: %+v, %v", states, err)
	}
	// A bearer that does not verify is not handed out.
	m.issue = func(vault.Token, error) (vault.Token, error) { return vault.NewToken(""), nil }
	if s, err := op.Issue(ctx, reader(0)); err == nil || s != nil {
		t.Errorf("a bearer that does not verify: Issue gave %v, %v", s, err)
	}
	wantLast(t, v, audit.Filter{Op: "issue"}, audit.Failed, "error")
}
