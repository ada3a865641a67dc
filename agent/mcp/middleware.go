// SPDX-License-Identifier: Apache-2.0

package mcp

import (
	"context"
	"encoding/json"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward-go/keyward/agent"
)

// Middleware returns middleware for any server (AddReceivingMiddleware) or client (AddSendingMiddleware) of the SDK. In calls
// of the named tools, handles in the arguments that agent.Handles names are resolved, each a use by a that is decided and
// recorded before the tool runs; a handle anywhere else is refused with a fixed text. What every method answers, errors
// included, is masked with a.Redactor(): text, structured content, embedded resources, binary data. An answer that would no
// longer be one is an error. A panic is an error.
//
// Add it before other middleware: what is added later is around it, and sees handles and masked answers.
//
// It does not see what goes beside the answers: progress, log messages and questions to the client. Do not resolve handles in
// an argument that the tool's schema marks with x-mcp-header, since the client copies that into a header.
func Middleware(a *agent.Agent, tools map[string]agent.Handles) sdk.Middleware {
	return func(next sdk.MethodHandler) sdk.MethodHandler {
		next = contain(next)
		return func(ctx context.Context, method string, req sdk.Request) (res sdk.Result, err error) {
			tool, args, with := call(req)
			if with == nil {
				res, err = next(ctx, method, req)
				return mask(a.Redactor(), res, err)
			}
			refusal, err := a.Resolve(ctx, "", args, tools[tool], func(args json.RawMessage) (err error) {
				res, err = next(ctx, method, with(args))
				return err
			})
			if refusal != "" {
				return text(refusal, true), nil
			}
			return mask(a.Redactor(), res, err)
		}
	}
}

// call returns what a call of a tool says, and a way to say it with other arguments; nil if req is none.
func call(req sdk.Request) (tool string, args json.RawMessage, with func(json.RawMessage) sdk.Request) {
	switch r := req.(type) {
	case *sdk.CallToolRequest: // to a server
		return r.Params.Name, r.Params.Arguments, func(args json.RawMessage) sdk.Request {
			r, p := *r, *r.Params
			p.Arguments = args
			r.Params = &p
			return &r
		}
	case *sdk.ClientRequest[*sdk.CallToolParams]: // from a client
		args, err := json.Marshal(r.Params.Arguments)
		if err != nil || r.Params.Arguments == nil {
			args = nil // what cannot be sent holds no handle
		}
		return r.Params.Name, args, func(resolved json.RawMessage) sdk.Request {
			r, p := *r, *r.Params
			if args != nil {
				p.Arguments = resolved
			}
			r.Params = &p
			return &r
		}
	}
	return "", nil, nil
}
