// SPDX-License-Identifier: Apache-2.0

package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/vault"
)

// maxMessage bounds what a client may send at once.
const maxMessage = 1 << 20

// NewServer returns a server with the tools of a. Whoever is connected to it acts with a's token. log is told of faults, with
// the values that a has touched masked; nil: nobody is told.
//
//	err := mcp.NewServer(a, log).Run(ctx, mcp.Stdio())
func NewServer(a *agent.Agent, log *slog.Logger) *sdk.Server {
	return newServer(a, a.Tools(), log)
}

func newServer(a *agent.Agent, tools []*agent.Tool, log *slog.Logger) *sdk.Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := sdk.NewServer(&sdk.Implementation{Name: "keyward", Version: version()}, &sdk.ServerOptions{
		Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}},
		SetCacheable: func(_ context.Context, _ sdk.Request, c *sdk.Cacheable) { c.TTLMs, c.CacheScope = 0, "private" },
	})
	s.AddReceivingMiddleware(contain)
	for _, t := range tools {
		tool := &sdk.Tool{Name: t.Kind(), Description: t.Description(), InputSchema: t.Schema(), Annotations: hints(t.Kind())}
		s.AddTool(tool, func(ctx context.Context, req *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			input := string(req.Params.Arguments)
			if input == "null" { // as some clients say that there are none
				input = ""
			}
			answer, err := t.Ask(ctx, "", input)
			if err != nil {
				log.Error("a tool could not run", "agent", a.Name(), "tool", t.Kind(), "cause", a.Redactor().String(fmt.Sprint(errors.Unwrap(err))))
				return text(err.Error(), true), nil
			}
			if errors.Is(answer.Refusal, vault.ErrDeadToken) {
				foundDead(ctx)
			}
			return text(answer.Text, answer.Refusal != nil), nil
		})
	}
	return s
}

// version is that of the module, as the program was built with it.
var version = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == "github.com/keyward-go/keyward/agent/mcp" && m.Version != "" && m.Version != "(devel)" {
				return m.Version
			}
		}
	}
	return "devel"
})

// Stdio returns the transport of a process whose client started it. From then on os.Stdout is the standard error of the
// process, so that nothing but the protocol gets to the client.
func Stdio() sdk.Transport {
	out := os.Stdout
	os.Stdout = os.Stderr
	return &sdk.IOTransport{Reader: os.Stdin, Writer: out, MaxLineLength: maxMessage}
}

// hints say what a tool does to the world. Clients run what only reads without asking anybody: revealing a value is not of
// that kind, and it may count as a use.
func hints(kind string) *sdk.ToolAnnotations {
	switch yes, no := true, false; kind {
	case "list_secrets":
		return &sdk.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, DestructiveHint: &no, OpenWorldHint: &no}
	case "get_secret":
		return &sdk.ToolAnnotations{DestructiveHint: &no, OpenWorldHint: &no}
	default:
		return &sdk.ToolAnnotations{DestructiveHint: &yes, OpenWorldHint: &yes}
	}
}

func text(s string, isError bool) *sdk.CallToolResult {
	return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: s}}, IsError: isError}
}

var errPanic = errors.New("internal error")

// contain turns a panic, which would end the process, into an error that does not show what it said.
func contain(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, req sdk.Request) (res sdk.Result, err error) {
		defer func() {
			if recover() != nil {
				res, err = nil, errPanic
			}
		}()
		return next(ctx, method, req)
	}
}
