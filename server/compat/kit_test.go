// SPDX-License-Identifier: Apache-2.0

package compat_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/server/compat"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

// bed is a vault behind the wire format. Bearers have names, as rows of a table want them.
type bed struct {
	*vault.Vault
	op      *vault.Operator
	url     string
	bearers map[string]string
}

var values = map[string]string{
	"production/search/tavily": "canary-tavily", "production/search/serp": "canary-serp", "production/search": "canary-search",
	"production/search/deep/er": "canary-deep", "staging/db": "canary-db", "flat": "canary-flat",
}

func newBed(t testing.TB, change func(*server.Config)) bed {
	v := vaulttest.Open(t, values)
	cfg := server.Config{Vault: v, Rate: 1e6, Burst: 1e6}
	if change != nil {
		change(&cfg)
	}
	h, err := compat.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(server.Route(map[string]http.Handler{"/v1/": h, "//v1/": h}))
	t.Cleanup(s.Close)
	b := bed{v, v.Operator("test"), s.URL, map[string]string{"nobody": "", "stranger": "kw_tok_none"}}
	b.key(t, vault.Key{Name: "alice", Operator: true})
	b.key(t, vault.Key{Name: "researcher", Limits: vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:*:production/*")}})
	return b
}

// key makes a key; its bearer has its name.
func (b bed) key(t testing.TB, k vault.Key) {
	t.Helper()
	k.Expires = time.Now().Add(time.Hour)
	_, tok, err := b.op.NewKey(context.Background(), k, "a test")
	if err != nil {
		t.Fatal(err)
	}
	b.bearers[k.Name] = tok.Reveal()
}

// bearer is that of the name; a text that begins with "secrets:" means a token with these scopes.
func (b bed) bearer(t testing.TB, who string) string {
	t.Helper()
	if tok, ok := b.bearers[who]; ok || !strings.HasPrefix(who, "secrets:") {
		return tok
	}
	s, err := b.op.Issue(context.Background(), vault.Grant{Agent: "worker", Scopes: scope.MustParse(strings.Fields(who)...), TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	b.bearers[who] = s.Token().Reveal()
	return b.bearers[who]
}

func (b bed) send(t testing.TB, who, method, place, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, b.url+place, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if tok := b.bearer(t, who); tok != "" {
		req.Header.Set("Authorization", "Bearer "+tok)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, strings.TrimSpace(string(text))
}

// ask is send for an answer that is JSON, into v.
func (b bed) ask(t testing.TB, who, method, place, body string, v any) {
	t.Helper()
	resp, text := b.send(t, who, method, place, body)
	if err := json.Unmarshal([]byte(text), v); resp.StatusCode/100 != 2 || err != nil {
		t.Fatalf("%s %s: %d %s", method, place, resp.StatusCode, text)
	}
}

// size is the number of records.
func (b bed) size(t testing.TB) (n int64) {
	t.Helper()
	for r, err := range b.Log().Records(context.Background(), audit.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		n = r.Seq + 1
	}
	return n
}

// since are the records from the number on, each in a few words.
func (b bed) since(t testing.TB, n int64) (all []string) {
	t.Helper()
	for r, err := range b.Log().Records(context.Background(), audit.Filter{Since: n}) {
		if err != nil {
			t.Fatal(err)
		}
		words := []string{r.Op}
		for _, w := range []string{r.Path, string(r.Outcome), r.Cause} {
			if w != "" && w != string(audit.Granted) {
				words = append(words, w)
			}
		}
		all = append(all, strings.Join(words, " "))
	}
	return all
}

// row is what a call is answered with and what it leaves in the log.
type row struct {
	who, method, place, body string
	status                   int
	want                     string // part of the answer
	records                  string // in a few words, joined by "; "
}

func (b bed) check(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		if strings.HasPrefix(r.who, "secrets:") {
			delete(b.bearers, r.who) // a new token each: of too many refusals of one the log has a count
		}
		b.bearer(t, r.who)
		before := b.size(t)
		resp, text := b.send(t, r.who, r.method, r.place, r.body)
		records := strings.Join(b.since(t, before), "; ")
		if resp.StatusCode != r.status || !strings.Contains(text, r.want) || records != r.records {
			t.Errorf("%s: %s %s %s\n got %d %s\n     %s\nwant %d … %s …\n     %s", r.who, r.method, r.place, r.body, resp.StatusCode, text, records, r.status, r.want, r.records)
		}
	}
}
