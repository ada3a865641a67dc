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
// recorded before the tool runs, as by agent.Agent.Wrap; a handle anywhere else is refused with a fixed text. A mistake in an
// agent.Handles is an error of every call of its tool. What every method answers, errors
// included, is masked with a.Redactor(): text, structured content, embedded resources, binary data. An answer that would no
// longer be one is an error. A panic is an error.
//
// Add it before other middleware: what is added later is around it, and sees handles and masked answers.
//
// It does not see what goes beside the answers: progress, log messages and questions to the client. Do not resolve handles in
// an argument that the tool's schema marks with x-mcp-header, since the client copies that into a header.
func Middleware(a *agent.Agent, tools map[string]agent.Handles) sdk.Middleware {
	return func(next sdk.MethodHandler) sdk.MethodHandler {
		return contain(func(ctx context.Context, method string, req sdk.Request) (res sdk.Result, err error) {
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
		})
	}
}

// call returns what a call of a tool says, and a way to say it with other arguments; nil if req is none.
func call(req sdk.Request) (tool string, args json.RawMessage, with func(json.RawMessage) sdk.Request) {
	switch p := req.GetParams().(type) {
	case *sdk.CallToolParamsRaw: // to a server
		r, ok := req.(*sdk.CallToolRequest)
		if !ok {
			return "", nil, nil
		}
		return p.Name, p.Arguments, func(resolved json.RawMessage) sdk.Request {
			r, p := *r, *p
			p.Arguments, r.Params = resolved, &p
			return &r
		}
	case *sdk.CallToolParams: // from a client
		session, ok := req.GetSession().(*sdk.ClientSession)
		args, err := json.Marshal(p.Arguments)
		if !ok || err != nil {
			return "", nil, nil // what cannot be sent holds no handle
		}
		return p.Name, args, func(resolved json.RawMessage) sdk.Request {
			p := *p
			p.Arguments = resolved
			return &sdk.ClientRequest[sdk.Params]{Session: session, Params: &p}
		}
	}
	return "", nil, nil
}
