// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package agent_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// hire opens a vault in memory that holds one secret, and returns the agent that may use it.
func hire(it vault.Item) (a *agent.Agent, end func()) {
	dir, err := os.MkdirTemp("", "keyward-example-")
	check(err)
	ctx := context.Background()
	v, err := vault.Open(ctx, vault.Config{Store: memory.New(), Root: kms.KeyFile(dir + "/root.key")})
	check(err)
	op := v.Operator("example")
	_, err = op.Put(ctx, it)
	check(err)
	s, err := op.Issue(ctx, vault.Grant{Agent: "releaser", Scopes: scope.MustParse("secrets:use:" + it.Path), TTL: time.Hour})
	check(err)
	a, err = agent.New(ctx, s)
	check(err)
	return a, func() {
		check(v.Close())
		check(os.RemoveAll(dir))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, r.Method, " ", r.URL.Path, " with ", r.Header.Get("X-Api-Key"))
}

// An SDK that takes an *http.Client needs no key.
func ExampleAgent_Client() {
	api := httptest.NewServer(http.HandlerFunc(echo))
	defer api.Close()
	a, end := hire(vault.Item{Path: "production/api-key", Value: vault.NewSecret("not-a-real-key"), Policy: vault.Policy{
		Hosts: []string{"GET " + api.URL + "/v1"}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Placement: "header:X-Api-Key",
	}})
	defer end()

	client := a.Client("production/api-key", "list the models")
	resp, err := client.Get(api.URL + "/v1/models")
	check(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	check(err)
	fmt.Println(string(answer))

	_, err = client.Post(api.URL+"/v1/files", "text/plain", nil)
	fmt.Println(strings.Contains(err.Error(), "denied"))
	// Output:
	// GET /v1/models with [redacted]
	// true
}

// The model writes a handle in place of the token that it does not know.
func ExampleAgent_Wrap() {
	a, end := hire(vault.Item{Path: "production/deploy-token", Value: vault.NewSecret("not-a-real-token"), Policy: vault.Policy{
		Hosts: []string{"POST deploy.example.com/v1"},
	}})
	defer end()

	tool := deployTool(a)
	for _, call := range []string{
		`{"service": "search", "token": "{{secret:production/deploy-token}}"}`,
		`{"service": "{{secret:production/deploy-token}}", "token": ""}`,
	} {
		answer, err := tool(context.Background(), call)
		check(err)
		fmt.Println(answer)
	}
	// Output:
	// deployed search with [redacted]
	// Malformed input. Send one JSON object as the schema of this tool says, with no other keys.
}

// deployTool is the tool with its handles, for whatever frameworks take.
func deployTool(a *agent.Agent) func(ctx context.Context, args string) (string, error) {
	return a.Wrap(func(ctx context.Context, args string) (string, error) { // your tool, as it was
		var in struct{ Service, Token string }
		if err := json.Unmarshal([]byte(args), &in); err != nil {
			return "", err
		}
		return deploy(ctx, in.Service, in.Token)
	}, agent.Handles{"token": "POST https://deploy.example.com/v1"}) // where it sends that argument
}

// deploy stands for one that posts the token there.
func deploy(_ context.Context, service, token string) (string, error) {
	return fmt.Sprintf("deployed %s with %s", service, token), nil
}

// The key of a GitHub App signs the token with which the app asks for installation tokens, and stays in the vault.
func ExampleAgent_Signer() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}) // as GitHub gives it
	a, end := hire(vault.Item{Path: "production/github-app-key", Value: vault.NewSecret(string(text))})
	defer end()

	signer, err := a.Signer(context.Background(), "production/github-app-key", "open a pull request")
	check(err)
	now := time.Now()
	part := func(v any) string {
		b, err := json.Marshal(v)
		check(err)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	token := part(map[string]string{"alg": "RS256", "typ": "JWT"}) + "." +
		part(map[string]any{"iss": "12345", "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(9 * time.Minute).Unix()})
	digest := sha256.Sum256([]byte(token))
	signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	check(err)
	token += "." + base64.RawURLEncoding.EncodeToString(signature)

	fmt.Println(strings.Count(token, "."), rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature))
	// Output: 2 <nil>
}

// A program that wants its key in a variable.
func ExampleAgent_Output() {
	a, end := hire(vault.Item{Path: "production/registry-token", Value: vault.NewSecret("not-a-real-token")})
	defer end()
	out, err := a.Output(context.Background(), agent.Command{
		Program: "sh", Args: []string{"-c", `echo "logged in with $TOKEN"`}, // yours, and never the model's
		Secrets: map[string]string{"TOKEN": "production/registry-token"},
		Reason:  "push the image",
	})
	check(err)
	fmt.Print(string(out))
	// Output: logged in with [redacted]
}
