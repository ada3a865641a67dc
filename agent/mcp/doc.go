// SPDX-License-Identifier: Apache-2.0

// Package mcp gives agents in other processes and languages the tools of package agent over the Model Context Protocol, on the
// official SDK (github.com/modelcontextprotocol/go-sdk/mcp, called sdk here).
//
//   - NewServer: the tools of one agent, over stdio or any other transport.
//   - NewHandler: streamable HTTP for many agents. Each request carries the bearer of one.
//   - Middleware: any other server or client of the SDK takes handles in arguments, and its results are masked.
//
// # Names
//
// Tools have their plain names: get_secret, http_request, list_secrets. In package agent a name ends in the agent's, since
// agents there may share one executor. Here every connection and every request belongs to one token, and clients keep lists of
// tools by URL. A client that puts several connections into one executor prefixes their names itself.
//
// Over HTTP every agent is shown the same tools in the same order, whatever its grant is good for: some clients keep the list
// for minutes, for all agents that call the same URL. So a token that may only use is shown get_secret too. What a grant is not
// good for is refused at the call, and recorded. Config.Tools leaves kinds out for everyone. NewServer shows what the grant is good
// for.
//
// Some clients (CrewAI) also keep answers by tool and arguments, for all agents: switch that off.
//
// # Answers
//
// One text. A refusal is the fixed text of package agent with isError, and so is a fault of the vault; neither tells a cause. No
// output schema, no resources, prompts, logging, sampling or subscriptions. Lists may be cached by their client alone.
//
// # What HTTP checks
//
// In this order, each with a constant text: the Host (403), the Origin (403), the bearer (401 with WWW-Authenticate), the rate (429);
// for a bearer of this vault alone the body, its size (1 MiB, 413), its time (30 s, 400) and how much of the token's is under way
// (2 MiB, 503); then method, media type and protocol. There are no sessions: an Mcp-Session-Id is ignored, and nothing is kept for a
// stream that was cut. This is bearer authentication outside of MCP's OAuth profile: tokens come from the vault, and a client cannot
// fetch one by itself.
//
// The vault decides whether a token lives. It proves it when it comes first, or its keys have changed. Whether the token was revoked
// or used up it is asked at the first request of a token, which is recorded as a list, and by each call of a tool; between two
// calls a revocation shows at the next. A request that is turned away is recorded with the address that it came from: as a get
// without a path, or as the call that found the token dead.
//
// Bearers cross the network as they are: serve TLS anywhere but on loopback, and give the http.Server its timeouts.
package mcp
