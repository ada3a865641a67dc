// SPDX-License-Identifier: Apache-2.0

// Package agent is what an agent holds: HTTP clients, tools and wrappers that get its work done with credentials which it does
// not see, and the masking of those it has touched.
//
// An Agent is made of one vault.Session, so of one token. In the order of preference:
//
//  1. Agent.Client: an *http.Client for your tool's own code, or for an SDK. The model needs no vault tool at all.
//  2. Wrap: your tool takes a credential as an argument; the model writes {{secret:path}} in its place.
//  3. the tool http_request: the model says which request, the policy of the secret says where it may go.
//  4. Run and Signer: for programs that want a variable, and keys that sign.
//  5. the tool get_secret: the model gets the value, and the record says get in place of use.
//
// Tools returns what the token is good for, so which of them an agent has is decided by its grant and by nothing else.
//
// # What a model sees
//
// Of its own tools: paths it may list, hosts, and answers of upstreams, masked. It sees no cause of a refusal, no token and, but for
// get_secret, no value. Where a value that get_secret has revealed goes from there (callbacks, spans, debug logs, the
// transcript) is the framework's business: Redactor masks it where you can put it in the way. It is the second net; the
// first is not to reveal.
//
// Package net/http tells package log what an upstream sends behind an answer, which may be the credential that it was sent.
// slog.SetDefault with redact.Redactor.Handler masks that too.
//
// # What is recorded
//
// Every use and every refusal, by the door of package vault, with the path, the reason that the model or the developer gave (of a
// handle, the name of its argument), and the method and the host of a request. The id of the call is there if the adapter gives
// one: Tool.Invoke, Tool.Ask and Resolve take it; Client, Wrap, Run and Signer have none. Reasons and ids are masked first;
// WithoutFreeText leaves out those of a model. Paths and hosts are recorded as they were asked for: a model that has got a value can
// write it there, but not in place of a whole path. A call that names no path at all (malformed input, too many calls) is
// recorded as an invalid get without one.
package agent
