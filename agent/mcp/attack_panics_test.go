// SPDX-License-Identifier: Apache-2.0

package mcp_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/agent/mcp"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

// bomb is structured content that panics when it is encoded, with what it was given.
type bomb struct{ key string }

func (b bomb) MarshalJSON() ([]byte, error) { panic(b.key) }

// An answer that panics when it is masked is an error that shows nothing, as a tool that panics is.
func TestAnswersThatPanic(t *testing.T) {
	v := open(t)
	a := newAgent(t, vaulttest.Session(t, v, "researcher", "secrets:use:production/search/*"))
	next := func(_ context.Context, _ string, req sdk.Request) (sdk.Result, error) {
		var in struct{ Key string }
		err := json.Unmarshal(req.GetParams().(*sdk.CallToolParamsRaw).Arguments, &in)
		return &sdk.CallToolResult{StructuredContent: bomb{in.Key}}, err
	}
	call := mcp.Middleware(a, map[string]agent.Handles{"post": {"key": ""}})(next)
	for _, key := range []string{"{{secret:" + search + "}}", "none"} {
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%s: a panic got out", key)
				}
			}()
			args, _ := json.Marshal(map[string]string{"key": key})
			res, err := call(t.Context(), "tools/call", &sdk.CallToolRequest{Params: &sdk.CallToolParamsRaw{Name: "post", Arguments: args}})
			if err == nil || res != nil || strings.Contains(err.Error(), canary) {
				t.Errorf("%s: %v, %v", key, res, err)
			}
		}()
	}
}
