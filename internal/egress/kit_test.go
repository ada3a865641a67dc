// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

const (
	path   = "production/search/key"
	canary = "canary/5f2c9e81+d7a04b36=="
)

// bed is a vault with one secret, and an engine of an agent that may use it.
type bed struct {
	*vault.Vault
	*Engine
	redactor *redact.Redactor
}

func newBed(t testing.TB) bed {
	v := vaulttest.Open(t, map[string]string{path: canary})
	r := new(redact.Redactor)
	return bed{v, New(vaulttest.Session(t, v, "researcher", "secrets:use:production/search/*"), "", NewPool(nil), Remember(r)), r}
}

func (b bed) policy(t testing.TB, p vault.Policy) {
	t.Helper()
	if err := b.Operator("test").SetPolicy(context.Background(), path, p, "a test"); err != nil {
		t.Fatal(err)
	}
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// upstream starts a server and makes it the only place for the secret.
func (b bed) upstream(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	b.policy(t, vault.Policy{Hosts: []string{s.URL}, Networks: loopback})
	return s.URL
}

func (b bed) client() *http.Client { return b.limited(Limits{}) }

func (b bed) limited(l Limits) *http.Client {
	return &http.Client{Transport: b.Transport(Use{Path: path, Reason: "a test", Call: "call-1", Limits: l})}
}

func get(t testing.TB, c *http.Client, url string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(c, req)
}

func do(c *http.Client, req *http.Request) (*http.Response, string, error) {
	resp, err := c.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// clean fails the test if what somebody sees holds the canary in any form.
func clean(t testing.TB, what string, seen ...any) {
	t.Helper()
	text := fmt.Sprintf("%+v %#v", seen, seen)
	for _, form := range []string{
		canary, url.QueryEscape(canary), url.PathEscape(canary), hex.EncodeToString([]byte(canary)), strings.ReplaceAll(canary, "/", `\/`),
		base64.StdEncoding.EncodeToString([]byte(canary))[:24], base64.StdEncoding.EncodeToString([]byte("x" + canary))[4:24], base64.StdEncoding.EncodeToString([]byte("xy" + canary))[4:24],
	} {
		if strings.Contains(text, form) {
			t.Errorf("%s shows the value as %q: %.600s", what, form, text)
		}
	}
}

// all returns the records of the agent.
func (b bed) all(t testing.TB) (all []audit.Record) {
	t.Helper()
	for r, err := range b.Log().Records(context.Background(), audit.Filter{Agent: "researcher"}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// one fails the test unless the agent has exactly one record, and returns it.
func (b bed) one(t testing.TB) audit.Record {
	t.Helper()
	all := b.all(t)
	if len(all) != 1 {
		t.Fatalf("%d records: %+v", len(all), all)
	}
	clean(t, "the record", all)
	return all[0]
}

// raw starts an upstream that answers each request with what f makes of its credential, byte for byte.
func (b bed) raw(t testing.TB, f func(value string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					io.WriteString(c, f(strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")))
				}
			}()
		}
	}()
	url := "http://" + l.Addr().String()
	b.policy(t, vault.Policy{Hosts: []string{url}, Networks: loopback})
	return url
}
