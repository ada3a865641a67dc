// SPDX-License-Identifier: Apache-2.0

// Package server opens a vault to other processes: agents in any language, and people with a credential. Whatever they ask goes
// through the one door of package vault, with their own token.
//
//	gateway, err := server.NewGateway(server.Config{Vault: v})
//	api, err := server.NewAPI(server.Config{Vault: v})
//	l, err := server.Listen(ctx, "127.0.0.1:7423", server.Listening{})
//	err = server.Serve(ctx, l, server.Route(map[string]http.Handler{"/use/": gateway, "/": api}), logger)
//
// Package server/compat serves the wire format of Agent Secret Store beside it, and agent/mcp the tools of an agent.
//
// # The gateway
//
//	ANY /use/{path}/~/{rest}
//
// sends the request on to https://host/{rest}, with the credential of path applied as its policy says, and streams the answer
// back: use without reveal, for a process that has no key and nothing of ours installed. It is the engine of agent.Client, with
// the same decisions and the same record: method and host, never the query. An SDK is given
//
//	base_url = http://127.0.0.1:7423/use/production/openai/api-key/~/v1
//	api_key  = kw_tok_…
//
// The run token is taken from Authorization: Bearer or from X-Api-Key, and goes no further. {path} is written as it is, without
// escapes; {rest} is sent as it came, unless some server could read it as another path: dot segments, escaped slashes,
// backslashes and control characters are refused. host is the one of the policy; where there are several, the header
//
//	Keyward-Host: api.example.com        (or http://127.0.0.1:8080)
//
// picks one of them. Keyward-Reason (1 KiB) and Keyward-Call (128 bytes) are recorded, and not sent on. A request that bears its
// token in a second place, which would go on, is refused. An answer in which the upstream shows the credential is masked, and so
// are its headers and trailers; encodings that could not be are not asked for, nor are parts of an answer. A redirect within the
// host leads back here and is decided anew; to another place it is answered with 502, since the caller would take its token
// there. Interim answers (1xx) are not passed on, and upgrades of the connection are refused. Each part of a body must come, and
// each part of an answer be taken, within a minute. As with agent.Client, one record may stand for a request that was sent again,
// to the same place, when a connection that was kept from before closed without an answer.
//
// What the gateway itself answers is JSON: {"error":{"code":…,"message":…}}, with 401 for a token that is not valid, 403 for what
// it may not do, 502 and 504 for what an upstream did not. 403 is also for a host at an address that the policy does not allow,
// which stands in the log as granted: the door let it pass, and the connection was not made.
//
// Package net/http tells package log what an upstream sends behind an answer, which may be the credential that it was sent: a process
// whose log others read calls log.SetOutput(io.Discard). Connections to upstreams are kept for one token and one credential each.
//
// Such an answer has the header Keyward-Error, with the code: unauthorized, denied, upstream, or one of those below. So has an error
// of the API. The header is never an upstream's: the gateway removes it there.
//
// # The API
//
// Every operation is POST /api/v1/{operation} with a JSON object, and Authorization: Bearer with a token (kw_tok_), an agent key
// (kw_agent_) or an operator's credential (kw_op_). GET /api/v1/openapi.json describes them all. A body is read strictly:
// duplicate, unknown and otherwise spelled keys are refused, and so is null. It is read when the credential is one of this vault, and
// must be there within 30 s. Nothing secret is ever in a URL. Error codes:
//
//	invalid 400 (405, 413, 415)   unauthorized 401   denied 403   not_found 404   conflict 409   rate_limited 429
//	busy 503   unavailable 503 (not recorded, clock, key service, closed)   timeout 504   internal 500
//
// 429 and busy come with Retry-After, in seconds. GET /healthz says that the process lives, GET /readyz that the vault can
// serve: its store answers, and the keys are those that this process has.
//
// # What every front checks
//
// Every request that is looked at (/healthz and /readyz answer anybody) has an id, which is in the header Keyward-Request-Id of its answer, in its record as the call
// unless the caller named one, it was malformed or it bears nothing of this vault, and in the log of faults.
//
// The Host is one that was named, and the request no web page's of another origin. A request that is turned away for that, or for
// a bearer, a body or a place that is none, is recorded like any refusal of the door; floods of them are counted. Only what is
// over a principal's rate is not.
package server
