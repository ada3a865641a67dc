// SPDX-License-Identifier: Apache-2.0

// Package egress carries an HTTP request out with a credential applied that its caller never sees. It is the one engine under
// agent.Client, the tool http_request and the gateway.
//
// A request goes this way, in engine.go:
//
//  1. what cannot be sent as the door is told is refused: destination.go
//  2. the door decides method, host and path, and records them; it lends the value
//  3. the value is remembered for masking, and placed on a copy of the request: place.go
//  4. the copy is sent, to an address that the policy allows, without proxy, and with no more of the caller's context than its
//     end: dial.go, networks.go, context.go
//  5. the answer is masked, bounded if it is no stream, and comes back as the answer to the caller's own request: answer.go;
//     so is the text of an error: errors.go
//
// What no transport can keep from its process: net/http tells package log what an upstream sends unasked after an answer, and
// with GODEBUG=http2debug=2 each header. Packages agent and server say what to do about it.
//
// A redirect is followed by the caller, by http.Client for one, as a new request that begins at 1.
package egress
