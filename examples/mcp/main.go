// SPDX-License-Identifier: Apache-2.0

// MCP: three agents, which may be written in any language, at one endpoint, each with the tools of its own token.
//
//	go run ./examples/mcp
//
// The service that keeps the vault serves the tools over streamable HTTP. Each of researcher, writer and critic connects with
// its run token and nothing else, does its work with a key that it never sees, then tries the keys of the other two, and is
// refused. There is no model in it and no network: a script stands for the one, a server on this machine for the other.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward-go/keyward/agent/mcp"
	"github.com/keyward-go/keyward/examples/internal/script"
	"github.com/keyward-go/keyward/examples/internal/team"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	t, err := team.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	h, err := mcp.NewHandler(mcp.Config{Vault: t.Vault})
	if err != nil {
		return err
	}
	server := httptest.NewServer(h) // yours is an http.Server with its timeouts, behind TLS
	defer server.Close()
	for _, m := range t.Members {
		session, err := t.Issue(ctx, m)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "The %s calls:\n", m.Name)
		// The bearer leaves the process here: it is all that a worker is given.
		if err := worker(ctx, out, server.URL, session.Token().Reveal(), t.Script(m, out).Calls); err != nil {
			return err
		}
	}
	return t.Log(ctx, out)
}

// worker is an agent in a process of its own: any client of MCP.
func worker(ctx context.Context, out io.Writer, endpoint, token string, calls []script.Call) error {
	client, err := sdk.NewClient(&sdk.Implementation{Name: "worker", Version: "1"}, nil).Connect(ctx, &sdk.StreamableClientTransport{
		Endpoint: endpoint, HTTPClient: &http.Client{Transport: bearer(token)},
	}, nil)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, c := range calls {
		var args struct{ Path string }
		if err := json.Unmarshal([]byte(c.Args), &args); err != nil {
			return err
		}
		answer, err := client.CallTool(ctx, &sdk.CallToolParams{Name: "http_request", Arguments: json.RawMessage(c.Args)})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  http_request  %-36s  %s\n", args.Path, brief(answer))
	}
	return nil
}

// brief is the first of what an answer says.
func brief(answer *sdk.CallToolResult) string {
	text := answer.Content[0].(*sdk.TextContent).Text
	var got struct {
		Status int
		Body   string
	}
	if !answer.IsError && json.Unmarshal([]byte(text), &got) == nil {
		return fmt.Sprint(got.Status, " ", strings.TrimSpace(got.Body))
	}
	text, _, _ = strings.Cut(text, " for that")
	return text + " …"
}

type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}
