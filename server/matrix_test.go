// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/vault"
)

// matrixRow is an operation as it is asked for by callers who may not.
type matrixRow struct {
	op     string // as recorded; "": an answer is not
	body   string
	wrong  string // scopes with every right but the one it takes; "": no scope is asked for
	scoped string // the cause for a token of other paths
	frozen string // the cause for a token of a frozen agent
	key    string // the cause for an agent key; "": it may
}

const aLink = `{"id":"00112233445566778899aabbccddeeff"}`

// matrix has a row for every operation of the table, and "use" for the gateway.
var matrix = map[string]matrixRow{
	"use":      {"use", "", "secrets:list:*,secrets:write:*,secrets:delete:*", "scope", "frozen", "not_for_this_credential"},
	"get":      {"get", `{"path":"` + path + `"}`, "secrets:use:*,secrets:list:*,secrets:write:*,secrets:delete:*", "scope", "frozen", "not_for_this_credential"},
	"put":      {"put", `{"path":"` + path + `","value":"x"}`, "secrets:read:*,secrets:delete:*", "scope", "frozen", "not_for_this_credential"},
	"delete":   {"delete", `{"path":"` + path + `"}`, "secrets:read:*,secrets:write:*", "scope", "frozen", "not_for_this_credential"},
	"list":     {"list", `{"pattern":"` + path + `"}`, "secrets:write:*,secrets:delete:*", "scope", "frozen", "not_for_this_credential"},
	"versions": {"versions", `{"path":"` + path + `"}`, "secrets:write:*,secrets:delete:*", "scope", "frozen", "not_for_this_credential"},
	"issue":    {"issue", `{"agent":"writer","scopes":["secrets:read:` + path + `"],"ttl_seconds":60}`, "", "widens", "frozen", "widens"},
	"revoke":   {"revoke", aLink, "", "scope", "scope", "not_for_this_credential"},
	"claims":   {"", `{}`, "", "", "", ""},

	"policy":     {"policy", `{"path":"` + path + `","policy":{}}`, "", "bad_key", "bad_key", "bad_key"},
	"freeze":     {"freeze", `{"kind":"user","value":"u"}`, "", "bad_key", "bad_key", "bad_key"},
	"thaw":       {"thaw", `{"kind":"user","value":"u"}`, "", "bad_key", "bad_key", "bad_key"},
	"freezes":    {"freezes", `{}`, "", "bad_key", "bad_key", "bad_key"},
	"whose":      {"whose", `{"value":"` + canary + `"}`, "", "bad_key", "bad_key", "bad_key"},
	"destroy":    {"destroy", `{"path":"` + path + `","version":1}`, "", "bad_key", "bad_key", "bad_key"},
	"tokens":     {"tokens", `{}`, "", "bad_key", "bad_key", "bad_key"},
	"create_key": {"key", `{"name":"k","operator":true,"expires":"2026-12-01T00:00:00Z"}`, "", "bad_key", "bad_key", "bad_key"},
	"keys":       {"keys", `{}`, "", "bad_key", "bad_key", "bad_key"},
	"records":    {"log", `{}`, "", "bad_key", "bad_key", "bad_key"},
	"checkpoint": {"log", `{}`, "", "bad_key", "bad_key", "bad_key"},
	"proof":      {"log", `{"seq":1,"checkpoint":"x"}`, "", "bad_key", "bad_key", "bad_key"},
	"export":     {"log", `{}`, "", "bad_key", "bad_key", "bad_key"},
}

// matrixCaller is a credential that reaches nothing, and why.
type matrixCaller struct {
	name, bearer, from string
	cause              string // of whatever it asks
	proven             bool   // it is of this vault: it is told what it says itself, and its bodies are read
}

// matrixBed is a vault with a clock of its own, whose fronts are called without a network.
type matrixBed struct {
	bed
	api, gateway http.Handler
	seconds      *atomic.Int64
	sent         *atomic.Int64 // requests that reached the upstream
	log          *recorded
}

func newMatrixBed(t *testing.T) matrixBed {
	b := matrixBed{seconds: new(atomic.Int64), sent: new(atomic.Int64), log: new(recorded)}
	clock := func() time.Time {
		return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(b.seconds.Load()) * time.Second)
	}
	v, err := vault.Open(t.Context(), vault.Config{Store: memory.New(), Root: kms.KeyFile(filepath.Join(t.TempDir(), "root.key")), Now: clock, Auditors: []vault.Auditor{b.log}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	b.Vault, b.op = v, v.Operator("test")
	if _, err := b.op.Put(t.Context(), vault.Item{Path: path, Value: vault.NewSecret(canary)}); err != nil {
		t.Fatal(err)
	}
	b.upstream(t, func(http.ResponseWriter, *http.Request) { b.sent.Add(1) })
	cfg := server.Config{Vault: v, Rate: 1e6, Burst: 1e6}
	if b.api, err = server.NewAPI(cfg); err == nil {
		b.gateway, err = server.NewGateway(cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b matrixBed) issue(t *testing.T, g vault.Grant) string {
	t.Helper()
	if g.Agent == "" {
		g.Agent = "researcher"
	}
	if g.Scopes.String() == "" {
		g.Scopes = scope.MustParse("secrets:*:production/*")
	}
	if g.TTL == 0 {
		g.TTL = time.Hour
	}
	s, err := b.op.Issue(context.Background(), g)
	if err != nil {
		t.Fatal(err)
	}
	return s.Token().Reveal()
}

func (b matrixBed) key(t *testing.T, k vault.Key) (bearer, id string) {
	t.Helper()
	k.Name = "k"
	if k.Expires.IsZero() {
		k.Expires = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	}
	if !k.Operator {
		k.Limits.Agent, k.Limits.Scopes, k.Limits.TTL = "researcher", scope.MustParse("secrets:*:production/*"), time.Hour
	}
	_, tok, err := b.op.NewKey(context.Background(), k, "")
	if err != nil {
		t.Fatal(err)
	}
	return tok.Reveal(), b.newestKey(t)
}

// newestKey returns the id of the key that was made last, as its record has it.
func (b matrixBed) newestKey(t *testing.T) (id string) {
	t.Helper()
	for r, err := range b.Log().Records(context.Background(), audit.Filter{Op: "key", Outcome: audit.Granted}) {
		if err != nil {
			t.Fatal(err)
		}
		id = r.Target
	}
	return id
}

// callers are all kinds of credentials that reach nothing, whatever they ask.
func (b matrixBed) callers(t *testing.T) []matrixCaller {
	t.Helper()
	const near = "127.0.0.1:9"
	home := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	good := b.issue(t, vault.Grant{})
	expired, revoked, used := b.issue(t, vault.Grant{TTL: time.Second}), b.issue(t, vault.Grant{}), b.issue(t, vault.Grant{MaxUses: 1})
	homely := b.issue(t, vault.Grant{Networks: home})
	agentKey, _ := b.key(t, vault.Key{})
	deadKey, deadKeyID := b.key(t, vault.Key{})
	deadOp, deadOpID := b.key(t, vault.Key{Operator: true})
	shortOp, _ := b.key(t, vault.Key{Operator: true, Expires: time.Date(2026, 6, 1, 12, 0, 2, 0, time.UTC)})
	homelyOp, _ := b.key(t, vault.Key{Operator: true, Limits: vault.Grant{Networks: home}})
	orphan, err := b.Session(vault.NewToken(deadKey), netip.Addr{}).Issue(t.Context(), vault.Grant{Scopes: scope.MustParse("secrets:*:production/*"), TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	links, _ := b.Session(vault.NewToken(revoked), netip.Addr{}).Claims(t.Context())
	_, err = b.Session(vault.NewToken(used), netip.Addr{}).Get(t.Context(), vault.Request{Path: path})
	if err := errors.Join(err, b.op.Revoke(t.Context(), links[0].ID, ""), b.op.Revoke(t.Context(), deadKeyID, ""), b.op.Revoke(t.Context(), deadOpID, "")); err != nil {
		t.Fatal(err)
	}
	b.seconds.Add(3)
	return []matrixCaller{
		{"no token", "", near, "bad_token", false},
		{"garbage", "kw_tok_garbage", near, "bad_token", false},
		{"a password", "hunter2", near, "bad_token", false},
		{"forged", forge(t, good), near, "bad_token", false},
		{"100 KB of dots", "kw_tok_" + strings.Repeat(".", 100<<10), near, "bad_token", false},
		{"expired", expired, near, "expired", true},
		{"revoked", revoked, near, "revoked", true},
		{"used up", used, near, "used_up", true},
		{"of a revoked key", orphan.Token().Reveal(), near, "key_ended", true},
		{"wrong network", homely, "11.0.0.1:9", "network", false},
		{"wrong network, mapped", homely, "[::ffff:192.168.0.1]:9", "network", false},
		{"a Unix socket", homely, "@", "network", false},
		{"agent key cut short", agentKey[:20], near, "bad_key", false},
		{"revoked agent key", deadKey, near, "key_ended", true},
		{"operator key cut short", "kw_op_x", near, "bad_key", false},
		{"revoked operator", deadOp, near, "key_ended", true},
		{"expired operator", shortOp, near, "key_ended", true},
		{"operator from a wrong network", homelyOp, "11.0.0.1:9", "network", false},
	}
}

// forge returns a well-formed token whose tag is another one.
func forge(t *testing.T, token string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(token[len("kw_tok_") : len(token)-6])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	text := "kw_tok_" + base64.RawURLEncoding.EncodeToString(b)
	sum := strings.Builder{}
	for n, place := crc32.ChecksumIEEE([]byte(text)), uint32(916132832); place > 0; place /= 62 {
		sum.WriteByte("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[n/place%62])
	}
	return text + sum.String()
}

// ask sends one request and returns the answer, and what was recorded for it.
func (b matrixBed) ask(op, bearer, from, body, credential string) (*httptest.ResponseRecorder, []audit.Record) {
	b.next()
	r := httptest.NewRequest("POST", "http://localhost/api/v1/"+op, strings.NewReader(body))
	h := b.api
	if op == "use" {
		r, h = httptest.NewRequest("POST", "http://localhost/use/"+path+"/~/v1/x", strings.NewReader(body)), b.gateway
	}
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = from
	switch {
	case bearer == "":
	case credential == "X-Api-Key":
		r.Header.Set(credential, bearer)
	default:
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, b.log.take()
}

// next lets a second pass, so that no refusal is counted instead of recorded, and forgets what was recorded.
func (b matrixBed) next() {
	b.seconds.Add(1)
	b.log.take()
}

// recorded is an auditor that keeps what it is told.
type recorded struct {
	mu  sync.Mutex
	all []audit.Record
}

func (r *recorded) Audit(_ context.Context, records []audit.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, records...)
	return nil
}

// take returns what was recorded since it was called last.
func (r *recorded) take() []audit.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

// Nobody who may not do something does it, on either surface: every refusal has its status, one text for all causes, and exactly
// one record, which has the cause.
func TestMatrix(t *testing.T) {
	b := newMatrixBed(t)
	callers := b.callers(t)
	if err := b.op.Freeze(t.Context(), vault.Frozen{Kind: "agent", Value: "cold"}, ""); err != nil {
		t.Fatal(err)
	}
	elsewhere := b.issue(t, vault.Grant{Scopes: scope.MustParse("secrets:*:staging/*", "secrets:*:production/llm/key2", "secrets:*:production/llm/key/*")})
	cold := b.issue(t, vault.Grant{Agent: "cold"})
	agentKey, _ := b.key(t, vault.Key{})
	operator, _ := b.key(t, vault.Key{Operator: true})

	names := []string{"use"}
	for _, op := range server.Operations() {
		names = append(names, op.Name)
	}
	cells, texts := 0, map[string]string{}
	refused := func(name string, c matrixCaller, row matrixRow, status int, credential string) {
		t.Helper()
		cells++
		what := fmt.Sprintf("%s, %s", name, c.name)
		w, records := b.ask(name, c.bearer, c.from, row.body, credential)
		text := w.Body.String()
		code := map[int]string{401: `{"error":{"code":"unauthorized",`, 403: `{"error":{"code":"denied",`}[status]
		if w.Code != status || !strings.HasPrefix(text, code) || w.Header().Get("Cache-Control") != "no-store" || (status == 401) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("%s: %d %s %v", what, w.Code, text, w.Header())
		}
		if len(records) != 1 || records[0].Outcome != audit.Denied || records[0].Cause != c.cause ||
			records[0].Op != row.op && (c.proven || name == "use" && c.bearer != "") {
			t.Errorf("%s: recorded as %+v", what, records)
		}
		if status == 403 && c.cause == "widens" {
			return // it may say how
		}
		if status == 403 {
			code += name
		}
		if like, ok := texts[code]; ok && like != text {
			t.Errorf("%s: %q, others are told %q", what, text, like)
		}
		texts[code] = text
	}
	for _, name := range names {
		row, ok := matrix[name]
		if !ok {
			t.Errorf("operation %s has no row in this table", name)
			continue
		}
		byOperator := row.key == "bad_key"
		for _, c := range callers {
			isOp := strings.HasPrefix(c.bearer, "kw_op_")
			switch {
			case c.proven && row.op == "":
				w, records := b.ask(name, c.bearer, c.from, row.body, "")
				if cells++; w.Code != 200 || len(records) != 0 || strings.Contains(w.Body.String(), c.bearer) {
					t.Errorf("%s, %s: %d %s %+v", name, c.name, w.Code, w.Body, records)
				}
				continue
			case byOperator && c.proven && !isOp:
				c.cause = "bad_key"
			case name == "use" && isOp:
				c.cause = "bad_key"
			}
			refused(name, c, row, 401, "")
			if name == "use" {
				refused(name, c, row, 401, "X-Api-Key")
			}
		}
		status := 403
		if byOperator {
			status = 401
		}
		const near = "127.0.0.1:9"
		for _, c := range []matrixCaller{
			{"wrong scope", elsewhere, near, row.scoped, true},
			{"frozen", cold, near, row.frozen, true},
			{"agent key", agentKey, near, row.key, true},
		} {
			if c.cause != "" {
				refused(name, c, row, status, "")
			}
		}
		if row.wrong != "" {
			wrong := b.issue(t, vault.Grant{Scopes: scope.MustParse(strings.Split(row.wrong, ",")...)})
			refused(name, matrixCaller{"wrong action", wrong, near, "scope", true}, row, 403, "")
		}
	}
	for name := range matrix {
		if strings.Count(" "+strings.Join(names, " ")+" ", " "+name+" ") != 1 {
			t.Errorf("the row of %s is of no operation", name)
		}
	}
	if n := b.sent.Load(); n != 0 {
		t.Errorf("%d requests reached the upstream", n)
	}
	t.Logf("%d cells", cells)

	// The control: whoever may, does.
	good := b.issue(t, vault.Grant{})
	for _, c := range []struct{ op, bearer, from, body string }{
		{"get", good, "127.0.0.1:9", matrix["get"].body},
		{"use", good, "127.0.0.1:9", ""},
		{"get", b.issue(t, vault.Grant{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}), "[::ffff:10.0.0.1]:9", matrix["get"].body},
		{"keys", operator, "127.0.0.1:9", `{}`},
		{"issue", agentKey, "127.0.0.1:9", `{"scopes":["secrets:read:` + path + `"],"ttl_seconds":60}`},
	} {
		w, records := b.ask(c.op, c.bearer, c.from, c.body, "")
		if w.Code != 200 || len(records) != 1 || records[0].Outcome != audit.Granted {
			t.Errorf("%s by who may: %d %s %+v", c.op, w.Code, w.Body, records)
		}
	}
	if n := b.sent.Load(); n != 1 {
		t.Errorf("%d requests reached the upstream", n)
	}
}

func operatorKey() vault.Key {
	return vault.Key{Name: "console", Operator: true, Expires: time.Now().Add(24 * time.Hour).Truncate(time.Second)}
}
